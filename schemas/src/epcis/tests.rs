mod facts;
mod invalid;
