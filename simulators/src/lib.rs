#![doc = include_str!("../README.md")]

pub mod clock;
pub mod device;
pub mod proxy;
pub mod scenario;
pub mod series;
