//! Typed reading of headers, on demand.

use super::auth::{Challenge, Credentials};
use super::contact::{Contact, Contacts};
use super::cseq::{CSeq, RAck};
use super::media_type::MediaType;
use super::name::HeaderName;
use super::name_addr::NameAddr;
use super::reason::Reason;
use super::replaces::Replaces;
use super::session_timer::{SessionExpires, delta};
use super::via::Via;
use super::{Headers, date, limits, scan};
use crate::{Fault, HeaderError, Method};

type Result<T> = std::result::Result<T, HeaderError>;

impl Headers {
    /// The only value of a header that may stand once.
    fn single<'a>(&'a self, name: &'a HeaderName) -> Result<Option<&'a str>> {
        let mut values = self.get_all(name);
        let first = values.next();
        if values.next().is_some() {
            return Err(HeaderError::new(name.clone(), Fault::Repeated));
        }
        Ok(first)
    }

    fn typed<T>(
        &self,
        name: &HeaderName,
        parse: impl Fn(&str) -> std::result::Result<T, Fault>,
    ) -> Result<Option<T>> {
        let Some(value) = self.single(name)? else {
            return Ok(None);
        };
        parse(value)
            .map(Some)
            .map_err(|fault| HeaderError::new(name.clone(), fault))
    }

    fn mandatory<T>(
        &self,
        name: &HeaderName,
        parse: impl Fn(&str) -> std::result::Result<T, Fault>,
    ) -> Result<T> {
        self.typed(name, parse)?
            .ok_or_else(|| HeaderError::new(name.clone(), Fault::Missing))
    }

    /// The elements of a comma-separated list, over all header lines of this name. Empty elements
    /// are skipped (RFC 9110 §5.6.1 asks recipients to).
    pub fn list<'a>(&'a self, name: &'a HeaderName) -> Result<Vec<&'a str>> {
        let mut elements = Vec::new();
        for value in self.get_all(name) {
            let parts = scan::split(value, b',').map_err(|f| HeaderError::new(name.clone(), f))?;
            elements.extend(parts.into_iter().filter(|part| !part.is_empty()));
            if elements.len() > limits::LIST_ELEMENTS_MAX {
                return Err(HeaderError::new(name.clone(), Fault::TooMany));
            }
        }
        Ok(elements)
    }

    fn typed_list<T>(
        &self,
        name: &HeaderName,
        parse: impl Fn(&str) -> std::result::Result<T, Fault>,
    ) -> Result<Vec<T>> {
        let elements = self.list(name)?;
        let parsed = elements
            .into_iter()
            .map(parse)
            .collect::<std::result::Result<_, _>>();
        parsed.map_err(|fault| HeaderError::new(name.clone(), fault))
    }

    /// All Vias, topmost first; at least one.
    pub fn vias(&self) -> Result<Vec<Via>> {
        let vias = self.typed_list(&HeaderName::Via, Via::parse)?;
        if vias.is_empty() {
            return Err(HeaderError::new(HeaderName::Via, Fault::Missing));
        }
        Ok(vias)
    }

    /// The topmost Via. The ones below are not looked at.
    pub fn top_via(&self) -> Result<Via> {
        let fail = |fault| HeaderError::new(HeaderName::Via, fault);
        let value = self
            .get(&HeaderName::Via)
            .ok_or_else(|| fail(Fault::Missing))?;
        let (first, _) = first_element(value).map_err(fail)?;
        Via::parse(first).map_err(fail)
    }

    /// Replaces the topmost Via, leaving the ones below as they are.
    pub fn set_top_via(&mut self, via: &Via) {
        let Some(at) = self
            .fields
            .iter()
            .position(|field| field.name == HeaderName::Via)
        else {
            return self.push_front(HeaderName::Via, &via.to_string());
        };
        let value = self.value(&self.fields[at]);
        let rest = first_element(value).map_or("", |(_, rest)| rest);
        let value = if rest.is_empty() {
            via.to_string()
        } else {
            format!("{via}, {rest}")
        };
        self.fields[at] = self.store(HeaderName::Via, &value);
    }

    /// From.
    pub fn from(&self) -> Result<NameAddr> {
        self.mandatory(&HeaderName::From, NameAddr::parse)
    }

    /// To.
    pub fn to(&self) -> Result<NameAddr> {
        self.mandatory(&HeaderName::To, NameAddr::parse)
    }

    /// Call-ID.
    pub fn call_id(&self) -> Result<&str> {
        let fail = |fault| HeaderError::new(HeaderName::CallId, fault);
        let value = self
            .single(&HeaderName::CallId)?
            .ok_or_else(|| fail(Fault::Missing))?;
        if value.is_empty() {
            return Err(fail(Fault::Empty));
        }
        if value.bytes().any(|b| b <= b' ' || b == 0x7f) {
            return Err(fail(Fault::BadCharacter));
        }
        Ok(value)
    }

    /// CSeq.
    pub fn cseq(&self) -> Result<CSeq> {
        self.mandatory(&HeaderName::CSeq, CSeq::parse)
    }

    /// Contact.
    pub fn contacts(&self) -> Result<Contacts> {
        let fail = |fault| HeaderError::new(HeaderName::Contact, fault);
        let elements = self.list(&HeaderName::Contact)?;
        if elements.contains(&"*") {
            return match elements.len() {
                1 => Ok(Contacts::Star),
                _ => Err(fail(Fault::Repeated)),
            };
        }
        let contacts = elements
            .into_iter()
            .map(Contact::parse)
            .collect::<std::result::Result<_, _>>();
        contacts.map(Contacts::List).map_err(fail)
    }

    /// Max-Forwards, 0 to 255 (RFC 3261 §20.22).
    pub fn max_forwards(&self) -> Result<Option<u8>> {
        self.typed(&HeaderName::MaxForwards, |value| {
            u8::try_from(scan::number(value)?).map_err(|_| Fault::NumberTooLarge)
        })
    }

    /// Expires in seconds. A number that does not fit in 32 bits counts as an hour (RFC 4475
    /// §3.1.2.4 suggests the default).
    pub fn expires(&self) -> Result<Option<u32>> {
        self.typed(&HeaderName::Expires, |value| match scan::number(value) {
            Err(Fault::NumberTooLarge) => Ok(super::EXPIRES_WHEN_MALFORMED_S),
            number => number,
        })
    }

    /// Min-Expires in seconds.
    pub fn min_expires(&self) -> Result<Option<u32>> {
        self.typed(&HeaderName::MinExpires, scan::number)
    }

    /// Retry-After in seconds; the comment and parameters are not kept.
    pub fn retry_after(&self) -> Result<Option<u32>> {
        self.typed(&HeaderName::RetryAfter, |value| {
            let end = value
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(value.len());
            let rest = value[end..].trim_start();
            if !rest.is_empty() && !rest.starts_with(['(', ';']) {
                return Err(Fault::BadNumber);
            }
            scan::number(&value[..end])
        })
    }

    /// Content-Type.
    pub fn content_type(&self) -> Result<Option<MediaType>> {
        self.typed(&HeaderName::ContentType, MediaType::parse)
    }

    /// The ranges of Accept; `None` when there is no Accept header.
    pub fn accepts(&self) -> Result<Option<Vec<MediaType>>> {
        if !self.has(&HeaderName::Accept) {
            return Ok(None);
        }
        self.typed_list(&HeaderName::Accept, MediaType::parse)
            .map(Some)
    }

    /// Is Date, if it is there, a date?
    pub(crate) fn check_date(&self) -> Result<()> {
        self.typed(&HeaderName::Date, date::check).map(|_| ())
    }

    /// Route.
    pub fn routes(&self) -> Result<Vec<NameAddr>> {
        self.typed_list(&HeaderName::Route, NameAddr::parse)
    }

    /// Record-Route.
    pub fn record_routes(&self) -> Result<Vec<NameAddr>> {
        self.typed_list(&HeaderName::RecordRoute, NameAddr::parse)
    }

    /// Path (RFC 3327).
    pub fn paths(&self) -> Result<Vec<NameAddr>> {
        self.typed_list(&HeaderName::Path, NameAddr::parse)
    }

    /// Refer-To (RFC 3515).
    pub fn refer_to(&self) -> Result<NameAddr> {
        self.mandatory(&HeaderName::ReferTo, NameAddr::parse)
    }

    /// Authorization: one per header line.
    pub fn authorizations(&self) -> Result<Vec<Credentials>> {
        self.lines(&HeaderName::Authorization, Credentials::parse)
    }

    /// The first Authorization.
    pub fn authorization(&self) -> Result<Option<Credentials>> {
        Ok(self.authorizations()?.into_iter().next())
    }

    /// WWW-Authenticate: one per header line.
    pub fn challenges(&self) -> Result<Vec<Challenge>> {
        self.lines(&HeaderName::WwwAuthenticate, Challenge::parse)
    }

    fn lines<T>(
        &self,
        name: &HeaderName,
        parse: impl Fn(&str) -> std::result::Result<T, Fault>,
    ) -> Result<Vec<T>> {
        let parsed = self
            .get_all(name)
            .map(parse)
            .collect::<std::result::Result<_, _>>();
        parsed.map_err(|fault| HeaderError::new(name.clone(), fault))
    }

    /// Session-Expires (RFC 4028).
    pub fn session_expires(&self) -> Result<Option<SessionExpires>> {
        self.typed(&HeaderName::SessionExpires, SessionExpires::parse)
    }

    /// Min-SE in seconds (RFC 4028).
    pub fn min_se(&self) -> Result<Option<u32>> {
        self.typed(&HeaderName::MinSe, |value| {
            delta(value).map(|(seconds, _)| seconds)
        })
    }

    /// RAck (RFC 3262).
    pub fn rack(&self) -> Result<Option<RAck>> {
        self.typed(&HeaderName::RAck, RAck::parse)
    }

    /// RSeq (RFC 3262).
    pub fn rseq(&self) -> Result<Option<u32>> {
        self.typed(&HeaderName::RSeq, scan::number)
    }

    /// Reason: all values; malformed ones are an error.
    pub fn reasons(&self) -> Result<Vec<Reason>> {
        self.typed_list(&HeaderName::Reason, Reason::parse)
    }

    /// The first Reason.
    pub fn reason(&self) -> Result<Option<Reason>> {
        Ok(self.reasons()?.into_iter().next())
    }

    /// Replaces (RFC 3891).
    pub fn replaces(&self) -> Result<Option<Replaces>> {
        self.typed(&HeaderName::Replaces, Replaces::parse)
    }

    /// The option tags of Require.
    pub fn requires(&self) -> Result<Vec<&str>> {
        self.tokens(&HeaderName::Require)
    }

    fn tokens<'a>(&'a self, name: &'a HeaderName) -> Result<Vec<&'a str>> {
        let elements = self.list(name)?;
        if !elements.iter().all(|element| scan::is_token(element)) {
            return Err(HeaderError::new(name.clone(), Fault::BadCharacter));
        }
        Ok(elements)
    }

    /// Does Supported name this option tag?
    pub fn supports(&self, tag: &str) -> bool {
        self.list(&HeaderName::Supported)
            .is_ok_and(|tags| tags.iter().any(|known| known.eq_ignore_ascii_case(tag)))
    }

    /// Does Allow name this method? `None` when there is no Allow header.
    pub fn allows(&self, method: &Method) -> Option<bool> {
        if !self.has(&HeaderName::Allow) {
            return None;
        }
        let methods = self.list(&HeaderName::Allow).ok()?;
        Some(methods.contains(&method.as_str()))
    }
}

/// The first element of a list and what follows its comma.
fn first_element(value: &str) -> std::result::Result<(&str, &str), Fault> {
    let mut comma = None;
    // An unclosed quote further right is another element's fault.
    let scanned = scan::outside(value, b",", |at, _| {
        comma = Some(at);
        false
    });
    match comma {
        Some(at) => Ok((scan::trim(&value[..at]), scan::trim(&value[at + 1..]))),
        None => scanned.map(|()| (scan::trim(value), "")),
    }
}
