//! What a store tells: differences, reports, exports.

mod scene;
mod tables;
