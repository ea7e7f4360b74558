//! What the values of an endpoint's options mean that are no plain number, name or yes and no.

use super::{
    ConnectedLineMethod, DtlsSetup, DtmfMode, Endpoint, MediaEncryption, ProvisionalAcks,
    RedirectMethod, SessionTimers,
};
use crate::caller_id::{CallerId, Presentation};
use crate::identify::IdentifyBy;
use crate::option::{Fault, number, word};

/// Streams of a kind one endpoint may have.
const STREAMS_MAX: u64 = 256;
/// Variables set on the calls of one endpoint.
const VARIABLES_MAX: usize = 100;

/// `"Name" <number>`, `Name <number>`, `<number>`, or a number or name alone.
pub(super) fn caller_id(endpoint: &mut Endpoint, value: &str) -> Result<(), Fault> {
    endpoint.caller_id = Some(CallerId::parse(value)).filter(|caller| !caller.is_nobody());
    Ok(())
}

pub(super) fn caller_privacy(endpoint: &mut Endpoint, value: &str) -> Result<(), Fault> {
    let index = word(value, &Presentation::WORDS)?;
    let presentation = Presentation::WORDS.get(index).copied();
    endpoint.caller_privacy = presentation
        .and_then(Presentation::parse)
        .unwrap_or_default();
    Ok(())
}

pub(super) fn connected_line_method(endpoint: &mut Endpoint, value: &str) -> Result<(), Fault> {
    endpoint.connected_line_method = match word(value, &["invite", "reinvite", "update"])? {
        0 | 1 => ConnectedLineMethod::Invite,
        _ => ConnectedLineMethod::Update,
    };
    Ok(())
}

pub(super) fn dtls_fingerprint(endpoint: &mut Endpoint, value: &str) -> Result<(), Fault> {
    endpoint.is_dtls_sha1 = word(value, &["SHA-256", "SHA-1"])? == 1;
    Ok(())
}

pub(super) fn dtls_setup(endpoint: &mut Endpoint, value: &str) -> Result<(), Fault> {
    endpoint.dtls_setup = match word(value, &["actpass", "active", "passive"])? {
        0 => DtlsSetup::Either,
        1 => DtlsSetup::Active,
        _ => DtlsSetup::Passive,
    };
    Ok(())
}

pub(super) fn dtmf_mode(endpoint: &mut Endpoint, value: &str) -> Result<(), Fault> {
    const WORDS: &[&str] = &["rfc4733", "inband", "info", "auto", "auto_info", "none"];
    endpoint.dtmf_mode = match word(value, WORDS)? {
        0 => DtmfMode::Rfc4733,
        1 => DtmfMode::Inband,
        2 => DtmfMode::Info,
        3 => DtmfMode::Auto,
        4 => DtmfMode::AutoInfo,
        _ => DtmfMode::None,
    };
    Ok(())
}

pub(super) fn media_encryption(endpoint: &mut Endpoint, value: &str) -> Result<(), Fault> {
    endpoint.media_encryption = match word(value, &["no", "sdes", "dtls"])? {
        0 => MediaEncryption::No,
        1 => MediaEncryption::Sdes,
        _ => MediaEncryption::Dtls,
    };
    Ok(())
}

pub(super) fn max_audio(endpoint: &mut Endpoint, value: &str) -> Result<(), Fault> {
    endpoint.max_audio_streams = number(value, 0, STREAMS_MAX)?;
    Ok(())
}

pub(super) fn max_video(endpoint: &mut Endpoint, value: &str) -> Result<(), Fault> {
    endpoint.max_video_streams = number(value, 0, STREAMS_MAX)?;
    Ok(())
}

pub(super) fn set_var(endpoint: &mut Endpoint, value: &str) -> Result<(), Fault> {
    let (name, value) = value.split_once('=').ok_or(Fault::NotAssignment)?;
    if endpoint.set_var.len() >= VARIABLES_MAX {
        return Err(Fault::TooMany(VARIABLES_MAX));
    }
    let pair = (name.trim().to_owned(), value.trim().to_owned());
    endpoint.set_var.push(pair);
    Ok(())
}

/// An option that only says what the exchange does anyway.
pub(super) fn always(_: &mut Endpoint, value: &str) -> Result<(), Fault> {
    crate::option::yes_no(value).map(|_| ())
}

pub(super) fn identify_by(endpoint: &mut Endpoint, value: &str) -> Result<(), Fault> {
    endpoint.identify_by = IdentifyBy::list(value)?;
    Ok(())
}

pub(super) fn timers(endpoint: &mut Endpoint, value: &str) -> Result<(), Fault> {
    const WORDS: &[&str] = &["no", "yes", "required", "always", "forced"];
    endpoint.timers = match word(value, WORDS) {
        Ok(2) => SessionTimers::Required,
        Ok(3 | 4) => SessionTimers::Always,
        Ok(1) => SessionTimers::Yes,
        Ok(_) => SessionTimers::No,
        Err(fault) => match crate::option::yes_no(value) {
            Ok(true) => SessionTimers::Yes,
            Ok(false) => SessionTimers::No,
            Err(_) => return Err(fault),
        },
    };
    Ok(())
}

pub(super) fn provisional_acks(endpoint: &mut Endpoint, value: &str) -> Result<(), Fault> {
    const WORDS: &[&str] = &["no", "yes", "required", "peer_supported"];
    endpoint.provisional_acks = match word(value, WORDS) {
        Ok(0) => ProvisionalAcks::No,
        Ok(1) => ProvisionalAcks::Yes,
        Ok(2) => ProvisionalAcks::Required,
        Ok(_) => ProvisionalAcks::PeerSupported,
        Err(fault) => match crate::option::yes_no(value) {
            Ok(true) => ProvisionalAcks::Yes,
            Ok(false) => ProvisionalAcks::No,
            Err(_) => return Err(fault),
        },
    };
    Ok(())
}

pub(super) fn redirect_method(endpoint: &mut Endpoint, value: &str) -> Result<(), Fault> {
    const WORDS: &[&str] = &["user", "uri_core", "uri_pjsip"];
    endpoint.redirect_method = match word(value, WORDS)? {
        0 => RedirectMethod::User,
        1 => RedirectMethod::UriCore,
        _ => RedirectMethod::UriPjsip,
    };
    Ok(())
}
