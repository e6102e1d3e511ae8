//! What a bundle proves, and what it cannot be made to prove.

mod agreement;
mod corrupt;
mod damage;
mod flipped;
mod judges;
mod past;
mod pasts;
mod sample;
mod selected;
mod short;
mod soundness;
mod thousand;
mod withheld;
