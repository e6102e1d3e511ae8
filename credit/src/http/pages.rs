//! What the pages say of a decision: its facts, points, reasons and limits in words.

pub mod view;
pub mod words;
