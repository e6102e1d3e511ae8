//! What a bundle proves, and what it cannot be made to prove.

mod agreement;
mod corrupt;
mod flipped;
mod sample;
mod selected;
mod short;
mod soundness;
mod withheld;
