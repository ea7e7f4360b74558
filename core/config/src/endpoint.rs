//! `type=endpoint`: a phone, a browser or a trunk.

use crate::aor::Aor;
use crate::auth::Auth;

use crate::option::{Fault, Object, Parse, Row, number, row, word};
use codec::{CODECS, Codec};
use std::sync::Arc;

/// An endpoint with the objects it names.
#[derive(Clone, Debug, PartialEq)]
pub struct Subscriber {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// Those of its `auth` that exist.
    pub auths: Vec<Arc<Auth>>,
    /// Those of its `aors` that exist.
    pub aors: Vec<Arc<Aor>>,
}

/// What the exchange knows of a phone, a browser or a trunk.
#[derive(Clone, Debug, PartialEq)]
pub struct Endpoint {
    /// The section's name.
    pub id: String,
    /// Its addresses of record.
    pub aors: Vec<String>,
    /// What its requests must be signed with; not challenged if empty.
    pub auth: Vec<String>,
    /// The context its calls start in.
    pub context: String,
    /// The context its messages start in; `context` if unset.
    pub message_context: Option<String>,
    /// Codecs, the preferred one first.
    pub allow: Vec<&'static Codec>,
    /// The transport its requests go by.
    pub transport: Option<String>,
    /// Whether it is a browser. Sets what browsers need: see [`Self::apply_webrtc`].
    pub webrtc: bool,
    /// Audio streams it may have at once.
    pub max_audio_streams: usize,
    /// Video streams it may have at once.
    pub max_video_streams: usize,
    /// How digits are sent to it.
    pub dtmf_mode: DtmfMode,
    /// How it is shown to those it calls.
    pub caller_id: Option<CallerId>,
    /// How its media is encrypted.
    pub media_encryption: MediaEncryption,
    /// Whether its RTP profile must be AVPF.
    pub use_avpf: bool,
    /// Whether ICE is used.
    pub ice_support: bool,
    /// Whether RTCP comes on the port of RTP.
    pub rtcp_mux: bool,
    /// Whether its streams share one port.
    pub bundle: bool,
    /// Whether an answer repeats the profile the offer came with.
    pub media_use_received_transport: bool,
    /// Seconds without packets after which a call ends; 0 is never.
    pub rtp_timeout_s: u32,
    /// The same while the call is on hold.
    pub rtp_timeout_hold_s: u32,
    /// Variables set on its calls.
    pub set_var: Vec<(String, String)>,
    /// The account written into its call records.
    pub accountcode: Option<String>,
    /// The language of its prompts.
    pub language: Option<String>,
    /// The user of `From` in requests to it.
    pub from_user: Option<String>,
    /// The domain of `From` in requests to it.
    pub from_domain: Option<String>,
}

/// `callerid=Name <number>`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallerId {
    /// The name; empty if there is none.
    pub name: String,
    /// The number; empty if there is none.
    pub number: String,
}

/// `dtmf_mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DtmfMode {
    /// `rfc4733`: events in RTP.
    Rfc4733,
    /// `inband`: tones.
    Inband,
    /// `info`: SIP INFO.
    Info,
    /// `auto`: events if the peer can, else tones.
    Auto,
    /// `auto_info`: events if the peer can, else SIP INFO.
    AutoInfo,
}

/// `media_encryption`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaEncryption {
    /// Plain RTP.
    No,
    /// Keys in the SDP (RFC 4568).
    Sdes,
    /// DTLS-SRTP (RFC 5764).
    Dtls,
}

impl Object for Endpoint {
    const KIND: &'static str = "endpoint";
    const OPTIONS: &'static [Row<Self>] = OPTIONS;

    fn named(id: &str) -> Self {
        Self::new(id)
    }

    fn finish(&mut self) {
        self.apply_webrtc();
    }
}

impl Endpoint {
    /// An object without options.
    pub fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            aors: Vec::new(),
            auth: Vec::new(),
            context: "default".to_owned(),
            message_context: None,
            allow: Vec::new(),
            transport: None,
            webrtc: false,
            max_audio_streams: 1,
            max_video_streams: 1,
            dtmf_mode: DtmfMode::Rfc4733,
            caller_id: None,
            media_encryption: MediaEncryption::No,
            use_avpf: false,
            ice_support: false,
            rtcp_mux: false,
            bundle: false,
            media_use_received_transport: false,
            rtp_timeout_s: 0,
            rtp_timeout_hold_s: 0,
            set_var: Vec::new(),
            accountcode: None,
            language: None,
            from_user: None,
            from_domain: None,
        }
    }

    /// What `webrtc=yes` implies, whatever else is written: DTLS-SRTP with ICE on one port, in the
    /// profile of the offer.
    pub fn apply_webrtc(&mut self) {
        if self.webrtc {
            self.media_encryption = MediaEncryption::Dtls;
            self.use_avpf = true;
            self.ice_support = true;
            self.rtcp_mux = true;
            self.bundle = true;
            self.media_use_received_transport = true;
        }
    }
}

impl Subscriber {
    /// Whether requests of this endpoint must be signed. True also if none of the auths it names
    /// exists: then nobody can sign, and every request is to be refused.
    pub fn is_challenged(&self) -> bool {
        !self.endpoint.auth.is_empty()
    }

    /// Whether every auth and address of record the endpoint names is here.
    pub fn is_complete(&self) -> bool {
        self.auths.len() == self.endpoint.auth.len() && self.aors.len() == self.endpoint.aors.len()
    }
}

const OPTIONS: &[Row<Endpoint>] = &[
    row(
        "accountcode",
        "",
        Parse::Optional(|e| &mut e.accountcode),
        "The account of its calls; not acted on yet.",
    ),
    row(
        "allow",
        "",
        Parse::Own(allow),
        "Codecs, the preferred one first; `all`; `!name` takes out.",
    ),
    row(
        "aors",
        "",
        Parse::Names(|e| &mut e.aors),
        "Where it can be reached.",
    ),
    row(
        "auth",
        "",
        Parse::Names(|e| &mut e.auth),
        "What its requests must be signed with.",
    ),
    row(
        "bundle",
        "no",
        Parse::YesNo(|e| &mut e.bundle),
        "One port for all its streams; always so here.",
    ),
    row(
        "callerid",
        "",
        Parse::Own(caller_id),
        "How it is shown to those it calls.",
    ),
    row(
        "context",
        "default",
        Parse::Text(|e| &mut e.context),
        "Where its calls start.",
    ),
    row(
        "disallow",
        "",
        Parse::Own(disallow),
        "Codecs to take out; `all`.",
    ),
    row(
        "dtls_auto_generate_cert",
        "no",
        Parse::Own(always),
        "Always so here.",
    ),
    row(
        "dtmf_mode",
        "rfc4733",
        Parse::Own(dtmf_mode),
        "How digits are sent to it.",
    ),
    row(
        "from_domain",
        "",
        Parse::Optional(|e| &mut e.from_domain),
        "Domain of From to it; our address if unset.",
    ),
    row(
        "from_user",
        "",
        Parse::Optional(|e| &mut e.from_user),
        "User of From to it; the caller's number if unset.",
    ),
    row(
        "ice_support",
        "no",
        Parse::YesNo(|e| &mut e.ice_support),
        "Finds a path by ICE; always so here.",
    ),
    row(
        "language",
        "",
        Parse::Optional(|e| &mut e.language),
        "The language of its prompts.",
    ),
    row(
        "max_audio_streams",
        "1",
        Parse::Own(max_audio),
        "Audio streams it may have at once.",
    ),
    row(
        "max_video_streams",
        "1",
        Parse::Own(max_video),
        "Video streams it may have at once.",
    ),
    row(
        "media_encryption",
        "no",
        Parse::Own(media_encryption),
        "no, sdes or dtls; always dtls here.",
    ),
    row(
        "media_use_received_transport",
        "no",
        Parse::YesNo(|e| &mut e.media_use_received_transport),
        "Answers in the profile of the offer; always so here.",
    ),
    row(
        "message_context",
        "",
        Parse::Optional(|e| &mut e.message_context),
        "Where its messages start; not acted on yet.",
    ),
    row(
        "rtcp_mux",
        "no",
        Parse::YesNo(|e| &mut e.rtcp_mux),
        "RTCP on the port of RTP; always so here.",
    ),
    row(
        "rtp_timeout",
        "0",
        Parse::Number(|e| &mut e.rtp_timeout_s, 0, SECONDS_MAX),
        "Seconds of silence that end a call; not acted on yet.",
    ),
    row(
        "rtp_timeout_hold",
        "0",
        Parse::Number(|e| &mut e.rtp_timeout_hold_s, 0, SECONDS_MAX),
        "The same on hold; not acted on yet.",
    ),
    row(
        "set_var",
        "",
        Parse::Own(set_var),
        "A variable of its calls, `name=value`; repeatable.",
    ),
    row(
        "transport",
        "",
        Parse::Optional(|e| &mut e.transport),
        "What its calls come by; it is called over the flow it registered from.",
    ),
    row(
        "use_avpf",
        "no",
        Parse::YesNo(|e| &mut e.use_avpf),
        "Insists on the AVPF profile; not acted on yet.",
    ),
    row(
        "webrtc",
        "no",
        Parse::YesNo(|e| &mut e.webrtc),
        "It is a browser; sets what those need.",
    ),
];

/// A week.
const SECONDS_MAX: u32 = 7 * 24 * 3600;
/// Streams of a kind one endpoint may have.
const STREAMS_MAX: u64 = 256;
/// Variables set on the calls of one endpoint.
const VARIABLES_MAX: usize = 100;

/// Codecs Asterisk 23 knows by name and the exchange does not carry.
const CODECS_OF_ASTERISK: &[&str] = &[
    "adpcm", "codec2", "g719", "g723", "g726", "g726aal2", "g729", "gsm", "h261", "h263", "h263p",
    "h265", "ilbc", "jpeg", "lpc10", "mpeg4", "png", "red", "silk", "silk12", "silk16", "silk24",
    "silk8", "siren14", "siren7", "slin", "slin12", "slin16", "slin192", "slin24", "slin32",
    "slin44", "slin48", "slin8", "slin96", "speex", "speex16", "speex32", "t140", "testlaw",
];

fn allow(endpoint: &mut Endpoint, value: &str) -> Result<(), Fault> {
    codecs(endpoint, value, true)
}

fn disallow(endpoint: &mut Endpoint, value: &str) -> Result<(), Fault> {
    codecs(endpoint, value, false)
}

fn codecs(endpoint: &mut Endpoint, value: &str, allow: bool) -> Result<(), Fault> {
    let mut left_out = None;
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
                left_out = Some(Fault::CodecNotHere(name.to_owned()));
            }
        } else {
            return Err(Fault::UnknownCodec(name.to_owned()));
        }
    }
    left_out.map_or(Ok(()), Err)
}

/// `"Name" <number>`, `Name <number>`, `<number>`, or a number or name alone.
fn caller_id(endpoint: &mut Endpoint, value: &str) -> Result<(), Fault> {
    let (name, number) = match value.split_once('<') {
        Some((name, number)) => (name.trim(), number.trim_end().trim_end_matches('>').trim()),
        None if is_number(value) => ("", value),
        None => (value, ""),
    };
    let name = name.trim_matches('"');
    endpoint.caller_id = (!name.is_empty() || !number.is_empty()).then(|| CallerId {
        name: name.to_owned(),
        number: number.to_owned(),
    });
    Ok(())
}

fn is_number(text: &str) -> bool {
    let digit = |byte: u8| byte.is_ascii_digit() || b"*#+-.()".contains(&byte);
    !text.is_empty() && text.bytes().all(digit)
}

fn dtmf_mode(endpoint: &mut Endpoint, value: &str) -> Result<(), Fault> {
    const WORDS: &[&str] = &["rfc4733", "inband", "info", "auto", "auto_info"];
    endpoint.dtmf_mode = match word(value, WORDS)? {
        0 => DtmfMode::Rfc4733,
        1 => DtmfMode::Inband,
        2 => DtmfMode::Info,
        3 => DtmfMode::Auto,
        _ => DtmfMode::AutoInfo,
    };
    Ok(())
}

fn media_encryption(endpoint: &mut Endpoint, value: &str) -> Result<(), Fault> {
    endpoint.media_encryption = match word(value, &["no", "sdes", "dtls"])? {
        0 => MediaEncryption::No,
        1 => MediaEncryption::Sdes,
        _ => MediaEncryption::Dtls,
    };
    Ok(())
}

fn max_audio(endpoint: &mut Endpoint, value: &str) -> Result<(), Fault> {
    endpoint.max_audio_streams = number(value, 0, STREAMS_MAX)?;
    Ok(())
}

fn max_video(endpoint: &mut Endpoint, value: &str) -> Result<(), Fault> {
    endpoint.max_video_streams = number(value, 0, STREAMS_MAX)?;
    Ok(())
}

fn set_var(endpoint: &mut Endpoint, value: &str) -> Result<(), Fault> {
    let (name, value) = value.split_once('=').ok_or(Fault::NotAssignment)?;
    if endpoint.set_var.len() >= VARIABLES_MAX {
        return Err(Fault::TooMany(VARIABLES_MAX));
    }
    let pair = (name.trim().to_owned(), value.trim().to_owned());
    endpoint.set_var.push(pair);
    Ok(())
}

/// An option that only says what the exchange does anyway.
fn always(_: &mut Endpoint, value: &str) -> Result<(), Fault> {
    crate::option::yes_no(value).map(|_| ())
}
