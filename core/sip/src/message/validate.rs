//! The checks of RFC 3261 §8.1.1 and §8.2 that come before anybody acts on a request.

use super::{Request, Response};
use crate::{Fault, HeaderError, HeaderName, Method, Params, Rejected};

/// What an element can do: the yardstick of [`Request::acceptable`].
#[derive(Debug, Clone, Copy)]
pub struct Capabilities<'a> {
    /// The methods it acts on, for Allow.
    pub methods: &'a [Method],
    /// The option tags it understands in Require.
    pub extensions: &'a [&'a str],
    /// The body types it understands, for Accept. Empty: any.
    pub media_types: &'a [&'a str],
    /// It passes requests on, so Max-Forwards 0 is refused (RFC 3261 §16.3); an element that
    /// answers itself ignores it.
    pub forwards: bool,
}

impl Request {
    /// Is it a request at all: RFC 3261 §8.1.1, "A valid SIP request formulated by a UAC MUST, at
    /// a minimum, contain the following header fields: To, From, CSeq, Call-ID, Max-Forwards, and
    /// Via"; and is what stands there well-formed? RFC 2543 peers leave Max-Forwards out, so its
    /// absence is forgiven.
    pub fn validate(&self) -> Result<(), Rejected> {
        let headers = &self.headers;
        headers.vias()?;
        headers.from()?;
        headers.to()?;
        headers.call_id()?;
        let cseq = headers.cseq()?;
        if cseq.method != self.method {
            return Err(Rejected::CseqMethod);
        }
        // RFC 3261 §19.1.1: headers are "not allowed" in a Request-URI.
        if self.uri.headers().next().is_some() {
            return Err(Rejected::UriHeaders);
        }
        headers.max_forwards()?;
        headers.check_date()?;
        headers.contacts()?;
        headers.expires()?;
        headers.content_type()?;
        headers.routes()?;
        headers.record_routes()?;
        headers.requires()?;
        for (name, _) in headers.iter().filter(|(name, _)| name.is_single()) {
            if headers.get_all(name).count() > 1 && *name != HeaderName::ContentLength {
                return Err(HeaderError::new(name.clone(), Fault::Repeated).into());
            }
        }
        Ok(())
    }

    /// Can this element act on it: RFC 3261 §8.2.1 to §8.2.3, in that order.
    pub fn acceptable(&self, capabilities: &Capabilities<'_>) -> Result<(), Rejected> {
        if !capabilities.methods.contains(&self.method) {
            return Err(match self.method {
                Method::Other(_) => Rejected::MethodUnknown,
                _ => Rejected::MethodNotAllowed,
            });
        }
        if !self.uri.is_sip() {
            return Err(Rejected::Scheme);
        }
        // RFC 3261 §10.2: the To of a REGISTER "MUST be a SIP URI or SIPS URI".
        if self.method == Method::Register && !self.headers.to()?.uri.is_sip() {
            return Err(Rejected::AddressOfRecord);
        }
        if capabilities.forwards && self.headers.max_forwards()? == Some(0) {
            return Err(Rejected::TooManyHops);
        }
        self.acceptable_extensions(capabilities)?;
        self.acceptable_body(capabilities)?;
        self.acceptable_answer()
    }

    /// RFC 3261 §20.1: an INVITE whose Accept leaves `application/sdp` out cannot be answered.
    fn acceptable_answer(&self) -> Result<(), Rejected> {
        if self.method != Method::Invite {
            return Ok(());
        }
        let Some(ranges) = self.headers.accepts()? else {
            return Ok(());
        };
        let fits = ranges.iter().any(|range| range.includes("application/sdp"));
        if fits {
            Ok(())
        } else {
            Err(Rejected::NotAcceptable)
        }
    }

    /// RFC 3261 §8.2.2.3: "Require and Proxy-Require MUST NOT be used in a SIP CANCEL request, or
    /// in an ACK request sent for a non-2xx response. These header fields MUST be ignored if they
    /// are present in these requests."
    fn acceptable_extensions(&self, capabilities: &Capabilities<'_>) -> Result<(), Rejected> {
        if matches!(self.method, Method::Cancel | Method::Ack) {
            return Ok(());
        }
        let known = |tag: &&str| {
            capabilities
                .extensions
                .iter()
                .any(|k| k.eq_ignore_ascii_case(tag))
        };
        let required = self.headers.requires()?;
        let unknown: Vec<_> = required
            .iter()
            .filter(|tag| !known(tag))
            .map(|&tag| tag.into())
            .collect();
        if unknown.is_empty() {
            Ok(())
        } else {
            Err(Rejected::Extension(unknown.into()))
        }
    }

    fn acceptable_body(&self, capabilities: &Capabilities<'_>) -> Result<(), Rejected> {
        if self.body.is_empty() {
            return Ok(());
        }
        let encodings = self.headers.list(&HeaderName::ContentEncoding)?;
        if encodings
            .iter()
            .any(|encoding| !encoding.eq_ignore_ascii_case("identity"))
        {
            return Err(Rejected::ContentEncoding);
        }
        let Some(media_type) = self.headers.content_type()? else {
            return Ok(());
        };
        let known = capabilities.media_types;
        if known.is_empty() || known.contains(&media_type.essence()) {
            return Ok(());
        }
        if self.body_is_optional() {
            Ok(())
        } else {
            Err(Rejected::MediaType)
        }
    }

    /// RFC 3261 §20.11: with `handling=optional` a body that is not understood is ignored.
    fn body_is_optional(&self) -> bool {
        let disposition = self
            .headers
            .get(&HeaderName::ContentDisposition)
            .unwrap_or("");
        let params = disposition.find(';').map_or("", |at| &disposition[at..]);
        let params = Params::parse(params).unwrap_or_default();
        params
            .get("handling")
            .is_some_and(|handling| handling.eq_ignore_ascii_case("optional"))
    }
}

impl Response {
    /// Is it a response that somebody can match and act on? If not, it is dropped.
    pub fn validate(&self) -> Result<(), HeaderError> {
        // RFC 3261 §8.1.3.3: "If more than one Via header field value is present in a response, the
        // UAC SHOULD discard the message": it is not ours, or was misrouted.
        if self.headers.vias()?.len() > 1 {
            return Err(HeaderError::new(HeaderName::Via, Fault::Repeated));
        }
        self.headers.from()?;
        self.headers.to()?;
        self.headers.call_id()?;
        self.headers.cseq()?;
        self.headers.contacts()?;
        self.headers.retry_after()?;
        Ok(())
    }
}
