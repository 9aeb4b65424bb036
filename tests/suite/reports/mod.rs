//! What a store tells: differences, reports, exports.

mod differences;
mod scene;
mod tables;
