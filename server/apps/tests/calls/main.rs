//! Whole calls through the dial plan: real switch and applications, paused clock, doubles for
//! signalling and media that write down what they are told.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod attended;
mod between;
mod blind;
mod bridge;
mod dial;
mod dial_options;
mod dial_talk;
mod digits;
mod echo;
mod features;
mod flow;
mod flow_more;
mod functions;
mod gosub;
mod groups;
mod hangup_handlers;
mod hold;
mod limits;
mod local;
mod messages;
mod more;
mod office;
mod originate;
mod park;
mod pbx;
mod pickup;
mod pictures;
mod quality;
mod reach;
mod recode;
mod record;
mod record_calls;
mod records;
mod rounds;
mod semi_attended;
mod sounds;
mod stop;
mod tables;
mod three_way;
mod transfer_records;
mod world;
