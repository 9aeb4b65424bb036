#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| (harness_fuzz::target("schedule_edit").run)(input));
