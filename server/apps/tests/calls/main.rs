//! Whole calls through the dial plan: real switch and applications, paused clock, doubles for
//! signalling and media that write down what they are told.

mod echo;
mod flow;
mod limits;
mod pbx;
mod rounds;
mod world;
