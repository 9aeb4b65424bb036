//! What a store tells: differences, reports, exports.

mod differences;
mod exports;
mod lines;
mod memory;
mod output;
mod pages;
mod scene;
mod tables;
