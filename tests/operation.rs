//! What an operator sees of a run: one statement's way through the log lines, what is counted, and
//! an end that loses nothing.

mod drain;
mod junk;
mod way;
