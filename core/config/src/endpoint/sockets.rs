//! Where the media of a phone is sent from and how it is marked: `media_address`, `rtp_port_start`,
//! `tos_audio` and the like.

use super::Endpoint;
use crate::option::{Fault, number};
use std::net::IpAddr;
use std::ops::RangeInclusive;

/// The sockets of a phone's media.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sockets {
    /// What its SDP says that media is to be sent to (`media_address`).
    pub address: Option<IpAddr>,
    /// Whether nothing but that address will do (`bind_rtp_to_media_address`).
    pub is_address_bound: bool,
    /// `rtp_port_start`; 0: those of rtp.conf.
    pub port_start: u16,
    /// `rtp_port_end`; 0: those of rtp.conf.
    pub port_end: u16,
    /// `tos_audio` and `cos_audio`.
    pub audio: Marks,
    /// `tos_video` and `cos_video`.
    pub video: Marks,
}

/// What packets are marked with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// The whole byte of the IP header.
    pub tos: u8,
    /// The priority of the socket, 0 to 7.
    pub cos: u8,
}

impl Sockets {
    /// The ports, if they are the phone's own.
    pub fn ports(&self) -> Option<RangeInclusive<u16>> {
        let is_own = self.port_start > 0 && self.port_start < self.port_end;
        is_own.then_some(self.port_start..=self.port_end)
    }
}

pub(super) fn address(endpoint: &mut Endpoint, value: &str) -> Result<(), Fault> {
    endpoint.sockets.address = match value {
        "" => None,
        value => Some(value.parse().map_err(|_| Fault::NotIp)?),
    };
    Ok(())
}

pub(super) fn port_start(endpoint: &mut Endpoint, value: &str) -> Result<(), Fault> {
    endpoint.sockets.port_start = number(value, 0, PORT_MAX)?;
    Ok(())
}

pub(super) fn port_end(endpoint: &mut Endpoint, value: &str) -> Result<(), Fault> {
    endpoint.sockets.port_end = number(value, 0, PORT_MAX)?;
    Ok(())
}

pub(super) fn tos(marks: &mut Marks, value: &str) -> Result<(), Fault> {
    marks.tos = crate::transport::type_of_service(value).ok_or(Fault::NotTos)?;
    Ok(())
}

pub(super) fn cos(marks: &mut Marks, value: &str) -> Result<(), Fault> {
    marks.cos = crate::transport::class_of_service(value)?;
    Ok(())
}

/// What `pjsip show endpoint` shows.
pub(crate) fn shown(sockets: &Sockets, option: &str) -> Option<String> {
    Some(match option {
        "cos_audio" => sockets.audio.cos.to_string(),
        "cos_video" => sockets.video.cos.to_string(),
        "media_address" => sockets.address.map(|ip| ip.to_string()).unwrap_or_default(),
        "rtp_port_end" => sockets.port_end.to_string(),
        "rtp_port_start" => sockets.port_start.to_string(),
        "tos_audio" => sockets.audio.tos.to_string(),
        "tos_video" => sockets.video.tos.to_string(),
        _ => return None,
    })
}

const PORT_MAX: u64 = 65_535;
