//! People who log in, by parts that are not ours.

mod browser;
mod provider;
