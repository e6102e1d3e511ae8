#![doc = include_str!("../README.md")]

pub mod banner;
pub mod check;
pub mod clock;
pub mod device;
pub mod folder;
pub mod gateway;
pub mod organisation;
pub mod progress;
pub mod proxy;
pub mod recorder;
pub mod scenario;
pub mod script;
pub mod series;
pub mod stack;
pub mod summary;
pub mod tour;
