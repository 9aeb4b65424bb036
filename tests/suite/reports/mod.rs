//! What a store tells: differences, reports, exports.

mod differences;
mod exports;
mod judgement;
mod lines;
mod memory;
mod output;
mod pages;
mod paper;
mod scene;
mod tables;
mod who;
mod workbooks;
