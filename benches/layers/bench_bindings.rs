//! The functions that a bare wasmtime host calls, as generated from `wit/`.

wasmtime::component::bindgen!({
    inline: "
        package bench:bare;
        world bare {
            export iga:connector/activity@0.1.0;
            export iga:connector/directory@0.1.0;
        }
    ",
    path: "../wit",
    world: "bench:bare/bare",
    exports: { default: async },
});
