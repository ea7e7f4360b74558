//! Who somebody is, as headers say it: From, P-Asserted-Identity (RFC 3325) with Privacy (RFC 3323),
//! Remote-Party-ID, and Diversion (RFC 5806) for who sent a call on.
//!
//! Nobody is believed but who the configuration trusts (`trust_id_inbound`); nobody sees what is private but who
//! it trusts with that (`trust_id_outbound`). P-Preferred-Identity (RFC 3325 §9.2) is a wish: it stands for From, where
//! the configuration does not say who calls.

mod history;

use ::sip::{Flow, HeaderName, Headers, Host, NameAddr, Request, Uri};
use config::{CallerId, ConnectedLineMethod, Endpoint, Presentation, Subscriber};
use switch::{Redirecting, diversion_of_reason, reason_of_diversion};

use crate::sip::shared::{Shared, printable};

/// Diversions of one call that are read.
const DIVERSIONS_MAX: usize = 32;

/// What the configuration says of who is shown to an endpoint.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    user: Option<String>,
    domain: Option<String>,
    default_user: String,
    /// P-Asserted-Identity and Remote-Party-ID go along.
    asserted: bool,
    remote_party: bool,
    /// It may see what is private.
    is_trusted: bool,
    /// It is told of changes.
    is_told: bool,
    /// And that before the answer.
    at_once: bool,
    method: ConnectedLineMethod,
    diverted: bool,
    /// It is told the history of calls.
    has_history: bool,
    /// Numbers are marked as such.
    is_phone: bool,
}

/// Whose side of a call is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// It is called by who is shown.
    Called,
    /// It calls who is shown.
    Calling,
}

impl Identity {
    pub(crate) fn of(shared: &Shared, subscriber: &Subscriber) -> Self {
        let endpoint = &subscriber.endpoint;
        Self {
            user: endpoint.from_user.clone(),
            domain: endpoint.from_domain.clone(),
            default_user: shared.switch.config().global.default_from_user.clone(),
            asserted: endpoint.send_pai,
            remote_party: endpoint.send_rpid,
            is_trusted: endpoint.trust_id_outbound,
            is_told: endpoint.send_connected_line,
            at_once: endpoint.rpid_immediate,
            method: endpoint.connected_line_method,
            diverted: endpoint.send_diversion,
            has_history: endpoint.send_history_info,
            is_phone: endpoint.user_eq_phone,
        }
    }

    pub(crate) fn is_phone(&self) -> bool {
        self.is_phone
    }

    /// Whether it is told of changes, and before the answer too.
    pub(crate) fn is_told(&self) -> bool {
        self.is_told
    }

    pub(crate) fn is_told_at_once(&self) -> bool {
        self.at_once
    }

    pub(crate) fn method(&self) -> ConnectedLineMethod {
        self.method
    }

    /// Whether there is anything to tell it of this party.
    pub(crate) fn shows(&self, party: &CallerId) -> bool {
        let is_seen = self.is_trusted || party.presentation().is_allowed();
        (self.asserted || self.remote_party) && !party.number.is_empty() && is_seen
    }

    /// From of a request that has nobody's privacy to keep: `from_user`, else this user, else
    /// `default_from_user`; at `from_domain`, else our address.
    pub(crate) fn address(&self, flow: &Flow, user: Option<&str>, name: Option<&str>) -> NameAddr {
        let user = self.user.as_deref().or(user).unwrap_or(&self.default_user);
        self.at(flow, user, name)
    }

    /// From of a call. `from_user` and `from_domain` stand in any case; else nobody learns from it what is
    /// private (RFC 3323 §4.1.1.3), not even who is trusted: that is what P-Asserted-Identity is for.
    pub(crate) fn from(&self, flow: &Flow, caller: &CallerId) -> NameAddr {
        if caller.is_nobody() || caller.presentation().is_allowed() {
            let number = shown(&caller.number);
            return self.address(flow, number.as_deref(), shown(&caller.name).as_deref());
        }
        let user = self.user.as_deref().unwrap_or("anonymous");
        let host = self.domain.as_deref().unwrap_or("anonymous.invalid");
        let uri = Uri::sip(Some(user), &Host::Name(host.into()), None);
        let mut address = NameAddr::new(uri);
        address.display_name = Some("Anonymous".into());
        address
    }

    /// The headers that say who is at the other end: none if it may not know.
    pub(crate) fn headers(
        &self,
        flow: &Flow,
        party: &CallerId,
        role: Role,
    ) -> Vec<(HeaderName, String)> {
        let mut headers = Vec::new();
        // RFC 3325 §9.1: only who is known is asserted.
        let Some(number) = shown(&party.number).filter(|_| self.shows(party)) else {
            return headers;
        };
        let who = self.at(flow, &number, shown(&party.name).as_deref());
        if self.asserted {
            headers.push((HeaderName::from(ASSERTED), who.to_string()));
            if !party.presentation().is_allowed() {
                headers.push((HeaderName::from(PRIVACY), "id".to_owned()));
            }
        }
        if self.remote_party {
            let side = match role {
                Role::Called => "calling",
                Role::Calling => "called",
            };
            let name = party.name.is_empty() || party.name_presentation.is_allowed();
            let privacy = match (name, party.number_presentation.is_allowed()) {
                (true, true) => "off",
                (false, true) => "name",
                (true, false) => "uri",
                (false, false) => "full",
            };
            let screen = match party.presentation().is_screened() {
                true => "yes",
                false => "no",
            };
            let value = format!("{who};party={side};privacy={privacy};screen={screen}");
            headers.push((HeaderName::from(REMOTE_PARTY), value));
        }
        headers
    }

    /// Who sent the call on: the last first, as RFC 5806 §4 wants it, then whom it was for at first.
    pub(crate) fn diversions(
        &self,
        flow: &Flow,
        redirecting: &Redirecting,
    ) -> Vec<(HeaderName, String)> {
        let mut headers = Vec::new();
        if !self.diverted {
            return headers;
        }
        let of = |party: &CallerId, reason: &str, count: Option<u32>| {
            let number = shown(&party.number).filter(|_| self.sees(party))?;
            let who = self.at(flow, &number, shown(&party.name).as_deref());
            let reason = token(diversion_of_reason(reason));
            let privacy = match party.presentation().is_allowed() {
                true => "",
                false => ";privacy=full",
            };
            let count = count.map(|count| format!(";counter={count}"));
            let count = count.unwrap_or_default();
            Some((
                HeaderName::from(DIVERSION),
                format!("{who};reason={reason}{privacy}{count}"),
            ))
        };
        let Redirecting {
            orig, from, count, ..
        } = redirecting;
        let is_first = *count <= 1 || orig.is_nobody() || orig.number == from.number;
        let hops = match is_first {
            true => *count,
            false => count - 1,
        };
        headers.extend(of(from, &redirecting.reason, (hops > 1).then_some(hops)));
        if !is_first {
            headers.extend(of(orig, &redirecting.orig_reason, None));
        }
        headers
    }

    fn sees(&self, party: &CallerId) -> bool {
        self.is_trusted || party.presentation().is_allowed()
    }

    /// This user at `from_domain`, else at our address.
    /// From with this user, at `from_domain`, else our address.
    pub(crate) fn at(&self, flow: &Flow, user: &str, name: Option<&str>) -> NameAddr {
        let host = match &self.domain {
            Some(domain) => Host::Name(domain.as_str().into()),
            None => Host::from(flow.local.ip().to_canonical()),
        };
        let uri = marked(Uri::sip(Some(user), &host, None), self.is_phone);
        let mut address = NameAddr::new(uri);
        address.display_name = name.map(Into::into);
        address
    }
}

const ASSERTED: &str = "P-Asserted-Identity";
const PREFERRED: &str = "P-Preferred-Identity";
const REMOTE_PARTY: &str = "Remote-Party-ID";
const PRIVACY: &str = "Privacy";
const DIVERSION: &str = "Diversion";

fn shown(text: &str) -> Option<String> {
    Some(printable(text)).filter(|text| !text.is_empty())
}

/// A word as it is, anything else in quotes.
fn token(text: &str) -> String {
    let text = text.trim().trim_matches('"');
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte);
    match text {
        "" => "unknown".to_owned(),
        text if text.bytes().all(is_plain) => text.to_owned(),
        text => {
            let plain: String = printable(text)
                .chars()
                .filter(|c| !matches!(c, '"' | '\\'))
                .collect();
            format!("\"{plain}\"")
        }
    }
}

/// What the configuration says of the caller; else what From says. From is proven only as far as
/// the endpoint is, so it never decides anything but what is shown.
pub(crate) fn caller_of(endpoint: &Endpoint, request: &Request) -> CallerId {
    let trusted = endpoint.trust_id_inbound;
    if trusted && let Some(mut caller) = asserted(&request.headers) {
        caller.tag.clone_from(&endpoint.caller_tag);
        return caller;
    }
    let known = endpoint.caller_id.clone().unwrap_or_default();
    if !known.number.is_empty() {
        return known;
    }
    let preferred = address_in(&request.headers, PREFERRED)
        .as_ref()
        .map(party_of);
    let preferred = preferred.filter(|caller| !caller.number.is_empty());
    let from = || request.headers.from().ok().as_ref().map(party_of);
    let Some(mut caller) = preferred.or_else(from) else {
        return known;
    };
    if !known.name.is_empty() {
        caller.name = known.name;
    }
    let asked = match is_private(&request.headers) {
        true => endpoint.caller_privacy.prohibited(),
        false => endpoint.caller_privacy,
    };
    let mut caller = caller.presented(asked);
    caller.tag.clone_from(&endpoint.caller_tag);
    caller
}

/// What a party that is believed says of itself in a message in the middle of a call; `tag` is its
/// `callerid_tag`.
pub(crate) fn heard(headers: &Headers, tag: &str) -> Option<CallerId> {
    let mut party = asserted(headers)?;
    tag.clone_into(&mut party.tag);
    Some(party)
}

/// The tag of an endpoint that is believed in the middle of a call; `None`: it is not.
pub(crate) fn believed(endpoint: &Endpoint) -> Option<Box<str>> {
    let is_believed = endpoint.trust_id_inbound && endpoint.trust_connected_line;
    is_believed.then(|| endpoint.caller_tag.as_str().into())
}

/// What a trusted peer says of who calls: P-Asserted-Identity, else Remote-Party-ID.
fn asserted(headers: &Headers) -> Option<CallerId> {
    let known = |caller: &CallerId| !caller.number.is_empty();
    if let Some(caller) = address_in(headers, ASSERTED)
        .as_ref()
        .map(party_of)
        .filter(known)
    {
        return Some(match is_private(headers) {
            true => caller.presented(Presentation::ProhibNotScreened),
            false => caller,
        });
    }
    let address = address_in(headers, REMOTE_PARTY)?;
    let caller = party_of(&address);
    let word = |name: &str| address.params.get(name).unwrap_or_default();
    let is_screened = word("screen").eq_ignore_ascii_case("yes");
    let allowed = match is_screened {
        true => Presentation::AllowedPassedScreen,
        false => Presentation::AllowedNotScreened,
    };
    let mut caller = caller.presented(allowed);
    let privacy = word("privacy").to_ascii_lowercase();
    if matches!(privacy.as_str(), "full" | "name") {
        caller.name_presentation = allowed.prohibited();
    }
    if matches!(privacy.as_str(), "full" | "uri") {
        caller.number_presentation = allowed.prohibited();
    }
    Some(caller).filter(known)
}

/// The first address in a header.
fn address_in(headers: &Headers, name: &str) -> Option<NameAddr> {
    let value = headers.get(&HeaderName::from(name))?;
    let first = match name {
        // RFC 3325 §9.1: there may be a second value, the tel: URI of the same.
        ASSERTED | PREFERRED => value.split_inclusive('>').next().unwrap_or(value),
        _ => value,
    };
    NameAddr::parse(first).ok()
}

/// The party of an address. What follows a `;` in the user (`+4930;cpc=ordinary`) says something of the number and is
/// no part of it, whatever `ignore_uri_user_options` says.
fn party_of(address: &NameAddr) -> CallerId {
    let user = address.uri.user().unwrap_or_default();
    let number = user.split_once(';').map_or(&*user, |(number, _)| number);
    CallerId::new(
        printable(address.display_name.as_deref().unwrap_or_default()),
        printable(number),
    )
}

/// RFC 3323 §4.2: `none` asks for no privacy, every other word for some; `critical` says how much it matters.
fn is_private(headers: &Headers) -> bool {
    asks_for(headers, &["id", "user", "header", "session", "history"])
}

/// Whether Privacy names one of these.
fn asks_for(headers: &Headers, privacy: &[&str]) -> bool {
    let name = HeaderName::from(PRIVACY);
    let values = headers.get_all(&name);
    let words = values.flat_map(|value| value.split([';', ',']));
    let words: Vec<&str> = words.map(str::trim).collect();
    let is = |word: &str| words.iter().any(|own| own.eq_ignore_ascii_case(word));
    !is("none") && privacy.iter().any(|word| is(word))
}

/// Who sent the call on to us, as Diversion says (the first line is the last who did), else History-Info.
pub(crate) fn redirecting_of(request: &Request) -> Redirecting {
    let mut redirecting = sent_on(&request.headers);
    if !redirecting.from.is_nobody() && redirecting.to.is_nobody() {
        let to = request.headers.to().ok();
        redirecting.to = to.as_ref().map(party_of).unwrap_or_default();
    }
    redirecting
}

/// The same of a call of ours, as a response to it says (181); whom it went to is said by History-Info alone.
pub(crate) fn sent_on(headers: &Headers) -> Redirecting {
    let name = HeaderName::from(DIVERSION);
    let values = headers.get_all(&name);
    let parsed = values.flat_map(entries).take(DIVERSIONS_MAX);
    let all: Vec<NameAddr> = parsed.collect();
    let (Some(last), Some(first)) = (all.first(), all.last()) else {
        return history::redirecting_of(headers).unwrap_or_default();
    };
    let reason = |address: &NameAddr| {
        let word = address.params.unescaped("reason").unwrap_or_default();
        reason_of_diversion(&printable(word.trim_matches('"')))
    };
    let party = |address: &NameAddr| {
        let privacy = address.params.get("privacy").unwrap_or("off");
        let party = party_of(address);
        match privacy.eq_ignore_ascii_case("off") {
            true => party,
            false => party.presented(Presentation::ProhibNotScreened),
        }
    };
    let counts = all.iter().map(|address| {
        let counter = address.params.get("counter").and_then(|n| n.parse().ok());
        counter.unwrap_or(1_u32).clamp(1, 1_000)
    });
    Redirecting {
        orig: party(first),
        orig_reason: reason(first),
        from: party(last),
        reason: reason(last),
        to: CallerId::default(),
        count: counts.fold(0, u32::saturating_add),
    }
}

/// The values of one line of Diversion or History-Info; a comma in quotes or brackets parts nothing.
fn entries(line: &str) -> Vec<NameAddr> {
    let (mut quoted, mut bracketed, mut start) = (false, false, 0);
    let mut parts = Vec::new();
    for (at, character) in line.char_indices() {
        match character {
            '"' => quoted = !quoted,
            '<' if !quoted => bracketed = true,
            '>' if !quoted => bracketed = false,
            ',' if !quoted && !bracketed => {
                parts.push(&line[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&line[start..]);
    let parts = parts.into_iter();
    parts
        .filter_map(|part| NameAddr::parse(part.trim()).ok())
        .collect()
}

/// RFC 3261 §19.1.1: `user=phone` says that the user is a telephone number.
pub(crate) fn marked(uri: Uri, is_phone: bool) -> Uri {
    let is_number = |user: &str| {
        let digits = user.strip_prefix('+').unwrap_or(user);
        let dialled = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'*' | b'#');
        !digits.is_empty() && digits.bytes().all(dialled)
    };
    let marks =
        is_phone && uri.param("user").is_none() && uri.user().is_some_and(|user| is_number(&user));
    match marks {
        true => uri.with_param("user", Some("phone")),
        false => uri,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn request(headers: &str) -> Request {
        let text = format!(
            "INVITE sip:100@pbx SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n\
             From: \"Alice\" <sip:alice@h>;tag=1\r\nTo: <sip:100@pbx>\r\nCall-ID: c\r\n\
             CSeq: 1 INVITE\r\nMax-Forwards: 70\r\n{headers}Content-Length: 0\r\n\r\n"
        );
        match ::sip::Message::parse(&text.into()).unwrap() {
            ::sip::Message::Request(request) => request,
            ::sip::Message::Response(_) => panic!("a response"),
        }
    }

    fn endpoint(trusted: bool) -> Endpoint {
        let mut endpoint = Endpoint::new("alice");
        endpoint.trust_id_inbound = trusted;
        endpoint.caller_tag = "blue".to_owned();
        endpoint
    }

    #[test]
    fn numbers_alone_are_marked() {
        let mark = |uri: &str| marked(uri.parse().unwrap(), true).to_string();
        assert_eq!(mark("sip:+4930@h;lr"), "sip:+4930@h;lr;user=phone");
        assert_eq!(mark("sip:4930@h;user=ip"), "sip:4930@h;user=ip");
        assert_eq!(mark("sip:alice@h"), "sip:alice@h");
        assert_eq!(
            marked("sip:1@h".parse().unwrap(), false).to_string(),
            "sip:1@h"
        );
    }

    #[test]
    fn only_who_is_trusted_is_believed() {
        let request = request(
            "P-Asserted-Identity: \"Bob\" <sip:200@h>, <tel:+49>\r\nPrivacy: id;critical\r\n",
        );
        let caller = caller_of(&endpoint(true), &request);
        assert_eq!(caller.to_string(), "\"Bob\" <200>");
        assert_eq!(caller.presentation(), Presentation::ProhibNotScreened);
        assert_eq!(caller.tag, "blue");
        let caller = caller_of(&endpoint(false), &request);
        assert_eq!(caller.to_string(), "\"Alice\" <alice>");
        assert!(!caller.presentation().is_allowed(), "it asks for privacy");
    }

    #[test]
    fn parameters_of_a_user_are_no_part_of_the_number() {
        let read = |headers: &str| caller_of(&endpoint(true), &request(headers)).number;
        let address = "\"Bob\" <sip:+49171;cpc=ordinary;rn=1@h;user=phone>";
        for name in [
            "P-Asserted-Identity",
            "Remote-Party-ID",
            "P-Preferred-Identity",
        ] {
            assert_eq!(read(&format!("{name}: {address}\r\n")), "+49171", "{name}");
        }
        let text = format!("Diversion: {address};reason=away\r\n");
        assert_eq!(redirecting_of(&request(&text)).from.number, "+49171");
        let text = format!(
            "History-Info: {address};index=1\r\nHistory-Info: <sip:2@h;cause=302>;index=1.1\r\n"
        );
        let redirecting = redirecting_of(&request(&text));
        assert_eq!(redirecting.orig.number, "+49171");
        assert_eq!(
            party_of(&NameAddr::parse("<sip:%3Bx@h>").unwrap()).number,
            ""
        );
    }

    #[test]
    fn what_is_preferred_stands_for_from_where_nothing_else_is_said() {
        let text = "P-Preferred-Identity: \"Sales\" <sip:200@h>, <tel:+49>\r\nPrivacy: id\r\n";
        let caller = caller_of(&endpoint(false), &request(text));
        assert_eq!(caller.to_string(), "\"Sales\" <200>");
        assert!(!caller.presentation().is_allowed());
        // The configuration says who it is.
        let mut known = endpoint(false);
        known.caller_id = Some(CallerId::new("Alice", "100"));
        assert_eq!(caller_of(&known, &request(text)).number, "100");
        // Who is trusted says it by what it asserts.
        let both = format!("P-Asserted-Identity: <sip:300@h>\r\n{text}");
        assert_eq!(caller_of(&endpoint(true), &request(&both)).number, "300");
        assert_eq!(caller_of(&endpoint(false), &request(&both)).number, "200");
        // What cannot be read is no wish.
        let caller = caller_of(&endpoint(false), &request("P-Preferred-Identity: <>\r\n"));
        assert_eq!(caller.number, "alice");
    }

    #[test]
    fn remote_party_says_who_may_see_what() {
        let read = |params: &str| {
            let line = format!("Remote-Party-ID: \"Bob\" <sip:200@h>;party=calling;{params}\r\n");
            caller_of(&endpoint(true), &request(&line))
        };
        let full = read("privacy=full;screen=yes");
        assert_eq!(full.presentation(), Presentation::ProhibPassedScreen);
        let name = read("privacy=name;screen=no");
        assert_eq!(name.name_presentation, Presentation::ProhibNotScreened);
        assert_eq!(name.number_presentation, Presentation::AllowedNotScreened);
        let open = read("privacy=off;screen=yes");
        assert_eq!(open.presentation(), Presentation::AllowedPassedScreen);
    }

    #[test]
    fn no_privacy_is_asked_for_by_none() {
        for (headers, is) in [
            ("", false),
            ("Privacy: none\r\n", false),
            ("Privacy: user;critical\r\n", true),
            ("Privacy: header, session\r\n", true),
        ] {
            assert_eq!(is_private(&request(headers).headers), is, "{headers}");
        }
    }

    #[test]
    fn who_sent_the_call_on_is_read_from_the_last_to_the_first() {
        let request = request(
            "Diversion: \"B, b\" <sip:200@h>;reason=user-busy;counter=2, <sip:150@h>;reason=away\r\n\
             Diversion: <sip:100@h>;reason=\"on holiday\";privacy=full\r\n",
        );
        let redirecting = redirecting_of(&request);
        assert_eq!(redirecting.from, CallerId::new("B, b", "200"));
        assert_eq!(redirecting.reason, "cfb");
        assert_eq!(redirecting.orig.number, "100");
        assert!(!redirecting.orig.presentation().is_allowed());
        assert_eq!(redirecting.orig_reason, "on holiday");
        assert_eq!(redirecting.count, 4);
        assert_eq!(redirecting_of(&self::request("")), Redirecting::default());
    }

    #[test]
    fn a_reason_is_a_word_or_quoted() {
        assert_eq!(token("user-busy"), "user-busy");
        assert_eq!(token("on \"holiday\r\n"), "\"on holiday\"");
        assert_eq!(token(""), "unknown");
    }
}
