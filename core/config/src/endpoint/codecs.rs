//! The options of an endpoint about codecs: which it has, and which of them a call uses.

use codec::{CODECS, Preference};

use super::Endpoint;
use crate::option::{Fault, word};

/// Codecs Asterisk 23 knows by name and the exchange does not carry.
const CODECS_OF_ASTERISK: &[&str] = &[
    "adpcm", "codec2", "g719", "g723", "g726", "g726aal2", "g729", "gsm", "h261", "h263", "h263p",
    "h265", "ilbc", "jpeg", "lpc10", "mpeg4", "png", "red", "silk", "silk12", "silk16", "silk24",
    "silk8", "siren14", "siren7", "slin12", "slin192", "slin24", "slin32", "slin96", "speex",
    "speex16", "speex32", "t140", "testlaw",
];

pub(super) fn allow(endpoint: &mut Endpoint, value: &str) -> Result<(), Fault> {
    codecs(endpoint, value, true)
}

pub(super) fn disallow(endpoint: &mut Endpoint, value: &str) -> Result<(), Fault> {
    codecs(endpoint, value, false)
}

fn codecs(endpoint: &mut Endpoint, value: &str, allow: bool) -> Result<(), Fault> {
    let mut left_out = Vec::new();
    for word in value
        .split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty())
    {
        let (word, allow) = match word.strip_prefix('!') {
            Some(word) => (word, !allow),
            None => (word, allow),
        };
        // `ulaw:20` names the packet time too, which is negotiated.
        let name = word.split_once(':').map_or(word, |(name, _)| name);
        let list = &mut endpoint.allow;
        if name.eq_ignore_ascii_case("all") {
            list.clear();
            if allow {
                list.extend(CODECS);
            }
        } else if let Some(codec) = codec::by_name(name) {
            list.retain(|other| *other != codec || allow);
            if allow && !list.contains(&codec) {
                list.push(codec);
            }
        } else if CODECS_OF_ASTERISK
            .iter()
            .any(|known| known.eq_ignore_ascii_case(name))
        {
            if allow {
                left_out.push(name.to_owned());
            }
        } else {
            return Err(Fault::UnknownCodec(name.to_owned()));
        }
    }
    match left_out.is_empty() {
        true => Ok(()),
        false => Err(Fault::CodecsNotHere(left_out)),
    }
}

pub(super) fn incoming_offer(endpoint: &mut Endpoint, value: &str) -> Result<(), Fault> {
    endpoint.incoming_offer = written(Preference::ANSWER, value)?;
    Ok(())
}

pub(super) fn incoming_answer(endpoint: &mut Endpoint, value: &str) -> Result<(), Fault> {
    endpoint.incoming_answer = written(Preference::ANSWER, value)?.unwrap_or(Preference::ANSWER);
    Ok(())
}

pub(super) fn outgoing_offer(endpoint: &mut Endpoint, value: &str) -> Result<(), Fault> {
    endpoint.outgoing_offer = written(Preference::OFFER, value)?;
    Ok(())
}

pub(super) fn outgoing_answer(endpoint: &mut Endpoint, value: &str) -> Result<(), Fault> {
    let preference = Preference::ANSWER.parse(value);
    endpoint.outgoing_answer = preference.map_err(Fault::NotPreference)?;
    Ok(())
}

/// What is written; `None` for an empty column.
fn written(usual: Preference, value: &str) -> Result<Option<Preference>, Fault> {
    if value.is_empty() {
        return Ok(None);
    }
    usual.parse(value).map(Some).map_err(Fault::NotPreference)
}

pub(super) fn incoming_call(endpoint: &mut Endpoint, value: &str) -> Result<(), Fault> {
    const WORDS: &[&str] = &["local", "local_first", "remote", "remote_first"];
    let known = WORDS[word(value, WORDS)?];
    endpoint.incoming_call = Preference::of_call(known).unwrap_or(endpoint.incoming_call);
    Ok(())
}

pub(super) fn outgoing_call(endpoint: &mut Endpoint, value: &str) -> Result<(), Fault> {
    const WORDS: &[&str] = &[
        "local",
        "local_merge",
        "local_first",
        "remote",
        "remote_merge",
        "remote_first",
    ];
    let known = WORDS[word(value, WORDS)?];
    endpoint.outgoing_call = Preference::of_call(known).unwrap_or(endpoint.outgoing_call);
    Ok(())
}
