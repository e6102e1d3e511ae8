//! Tests of scorecards over rows that are made by a seed.

mod binning;
mod card;
mod numbers;
mod optimum;
mod points;
mod samples;
