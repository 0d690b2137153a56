//! The consumer on a real broker and a real MongoDB.

mod bed;
mod effects;
