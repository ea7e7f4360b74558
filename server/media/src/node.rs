//! What is done to the sound of a stream on its way, one file for each.

pub(crate) mod ear;
pub(crate) mod keys;
pub(crate) mod music;
mod packets;
pub(crate) mod play;
pub(crate) mod tap;
pub(crate) mod transcode;
pub(crate) mod voice;
