//! What a store tells: differences, reports, exports.

mod differences;
mod exports;
mod pages;
mod scene;
mod tables;
