//! The links of the chain, one file each.

pub(crate) mod acme;
pub(crate) mod browser;
pub(crate) mod call;
pub(crate) mod certificate;
pub(crate) mod clock;
pub(crate) mod configuration;
pub(crate) mod database;
pub(crate) mod firewall;
pub(crate) mod limits;
pub(crate) mod outside;
pub(crate) mod ports;
pub(crate) mod register;
pub(crate) mod selinux;
pub(crate) mod websocket;
