//! REGISTER (RFC 3261 §10.3, RFC 5626, RFC 3327), with the answers Asterisk gives.
//!
//! The client's own Contact is echoed as it wrote it: browsers' libraries find themselves in the
//! answer by its user part, its instance, or the whole URI. No GRUU is made, so nobody needs one.

use std::time::{Duration, Instant};

use ::sip::{Contact, Contacts, Flow, HeaderName, Request, Response, Status, Uri};
use config::{Aor, Endpoint, MediaEncryption, Subscriber};
use store::Saving;

use crate::sip::authenticate::{self, Denied, RETRY_AFTER_S};
use crate::sip::command::{Command, Party};
use crate::sip::date::date;
use crate::sip::location::{
    Agent, Change, Location, Refused, Rules, Source, Updated, is_websocket,
};
use crate::sip::mwi;
use crate::sip::qualify;
use crate::sip::shared::{Shared, now, printable, unix_s};
use crate::sip::trace::Name;

/// Bytes of one Contact, and of all Path headers together, that are kept.
pub(crate) const CONTACT_BYTES_MAX: usize = 1_024;

/// Answers a REGISTER.
pub(crate) async fn register(shared: &Shared, flow: &Flow, request: &Request) -> Response {
    match try_register(shared, flow, request).await {
        Ok(response) => response,
        Err(denied) => denied.response(request),
    }
}

async fn try_register(shared: &Shared, flow: &Flow, request: &Request) -> Result<Response, Denied> {
    let contacts = read_contacts(request)?;
    let subscriber = authenticate::check(shared, flow, request).await?;
    let aor = find_aor(&subscriber, request)?;
    let path = read_path(aor, request)?;
    let source = Source {
        flow: *flow,
        endpoint: subscriber.endpoint.id.clone(),
        call_id: request
            .headers
            .call_id()
            .map(str::to_owned)
            .unwrap_or_default(),
        cseq: request
            .headers
            .cseq()
            .map(|cseq| cseq.number)
            .unwrap_or_default(),
        path,
        agent: agent_of(request),
    };
    let now = now();
    let is_known = shared
        .location()
        .contacts(&aor.id)
        .iter()
        .any(|binding| binding.flow.id == flow.id);
    let (saving, bound) = match contacts {
        Contacts::Star => (unbind_all(shared, aor, request, &source)?, Vec::new()),
        Contacts::List(list) => bind(shared, aor, request, &source, list, now)?,
    };
    if let Some(saving) = saving {
        saving.settled().await;
    }
    if !is_known && !bound.is_empty() && is_unfit(&subscriber.endpoint, flow) {
        tracing::warn!(
            endpoint = subscriber.endpoint.id,
            from = %Name(flow),
            "a browser registers, but its endpoint is a desk phone's: it will ring and not be answered; \
             write webrtc=yes into [{}] in {}",
            subscriber.endpoint.id,
            subscriber.endpoint.file()
        );
    }
    qualify::watch(shared, &subscriber, aor, now);
    mwi::registered(shared, &subscriber, bound);
    Ok(answer(shared, aor, request, &source, now))
}

/// Whether this is a browser at an endpoint whose media no browser speaks.
fn is_unfit(endpoint: &Endpoint, flow: &Flow) -> bool {
    let fits = endpoint.media_encryption == MediaEncryption::Dtls && endpoint.ice_support;
    is_websocket(flow.transport) && !endpoint.webrtc && !fits
}

/// Asterisk refuses what it could never bind before it asks who it is.
fn read_contacts(request: &Request) -> Result<Contacts, Denied> {
    let bad = |sentence: &str| Denied::with_warning(Status::BAD_REQUEST, sentence);
    let contacts = request
        .headers
        .contacts()
        .map_err(|error| bad(&error.to_string()))?;
    if let Contacts::List(list) = &contacts {
        if !list.iter().all(|contact| contact.address.uri.is_sip()) {
            return Err(Denied::new(Status::UNSUPPORTED_URI_SCHEME));
        }
        if list
            .iter()
            .any(|contact| contact.raw().len() > CONTACT_BYTES_MAX)
        {
            return Err(bad("A Contact is too long"));
        }
    }
    Ok(contacts)
}

/// RFC 3261 §10.3 steps 4 and 5: the address in To must be one of this endpoint's.
fn find_aor<'a>(subscriber: &'a Subscriber, request: &Request) -> Result<&'a Aor, Denied> {
    let endpoint = &subscriber.endpoint.id;
    let user = request
        .headers
        .to()
        .ok()
        .and_then(|to| to.uri.user().map(String::from));
    let user = user.unwrap_or_default();
    let Some(aor) = subscriber.aors.iter().find(|aor| aor.id == user) else {
        tracing::warn!(
            endpoint,
            aor = printable(&user),
            "registration refused: the endpoint has no such address of record"
        );
        return Err(Denied::new(Status::NOT_FOUND));
    };
    if aor.max_contacts == 0 {
        let sentence = format!("max_contacts of aor {} is 0: nobody may register", aor.id);
        tracing::warn!(endpoint, aor = aor.id, "registration refused: {sentence}");
        return Err(Denied::with_warning(Status::FORBIDDEN, &sentence));
    }
    Ok(aor)
}

/// RFC 3327 §5.3: a Path is kept, or refused with 420 where the client does not expect it.
fn read_path(aor: &Aor, request: &Request) -> Result<Vec<String>, Denied> {
    if !aor.support_path {
        return Ok(Vec::new());
    }
    let path: Vec<String> = request
        .headers
        .get_all(&HeaderName::Path)
        .map(str::to_owned)
        .collect();
    if !path.is_empty() && !request.headers.supports("path") {
        let mut denied = Denied::new(Status::BAD_EXTENSION);
        denied
            .headers
            .push((HeaderName::Unsupported, "path".to_owned()));
        return Err(denied);
    }
    if path.iter().map(String::len).sum::<usize>() > CONTACT_BYTES_MAX {
        return Err(Denied::with_warning(
            Status::BAD_REQUEST,
            "The Path is too long",
        ));
    }
    Ok(path)
}

fn unbind_all(
    shared: &Shared,
    aor: &Aor,
    request: &Request,
    source: &Source,
) -> Result<Option<Saving>, Denied> {
    // RFC 3261 §10.3 step 6: "The registrar checks whether … If the request has additional Contact
    // fields or an expiration time other than zero, then the request is invalid, and the server MUST
    // return a 400".
    if request.headers.expires().ok().flatten() != Some(0) {
        let sentence = "Contact: * needs Expires: 0";
        return Err(Denied::with_warning(Status::BAD_REQUEST, sentence));
    }
    let (updated, saving) = change(shared, source, |location| location.clear(&aor.id, source));
    log(
        aor,
        source,
        &updated.map_err(|refused| denied(refused, aor))?,
        request,
    );
    Ok(saving)
}

/// Changes the table, and hands on what is to be kept before anybody else changes it. A contact that
/// ends with its WebSocket is kept for others to see, but nobody waits for that.
fn change(
    shared: &Shared,
    source: &Source,
    change: impl FnOnce(&mut Location) -> Result<Updated, Refused>,
) -> (Result<Updated, Refused>, Option<Saving>) {
    let mut location = shared.location();
    let updated = change(&mut location);
    let saving = match &updated {
        Ok(updated) if !updated.kept.is_empty() => shared
            .contacts
            .as_ref()
            .map(|contacts| contacts.change(&updated.kept)),
        Ok(_) | Err(_) => None,
    };
    drop(location);
    let lives_on = !is_websocket(source.flow.transport);
    (updated, saving.filter(|_| lives_on))
}

/// What is told of the client.
fn agent_of(request: &Request) -> Agent {
    let name = request.headers.get(&HeaderName::UserAgent);
    // Each proxy on the way has put its own Via on top.
    let lowest = request
        .headers
        .vias()
        .ok()
        .and_then(|vias| vias.into_iter().last());
    Agent {
        name: printable(name.unwrap_or_default()),
        via_addr: lowest
            .as_ref()
            .map(|via| via.host().to_string())
            .unwrap_or_default(),
        via_port: lowest.and_then(|via| via.port()).unwrap_or_default(),
    }
}

fn bind(
    shared: &Shared,
    aor: &Aor,
    request: &Request,
    source: &Source,
    contacts: Vec<Contact>,
    now: Instant,
) -> Result<(Option<Saving>, Vec<Uri>), Denied> {
    let default = request.headers.expires().ok().flatten();
    let parties: Vec<Party> = contacts
        .iter()
        .filter(|contact| granted(aor, contact.expires().or(default)) > 0)
        .map(|contact| Party {
            endpoint: source.endpoint.clone(),
            instance: contact.instance().map(str::to_owned),
            contact: Some(contact.address.uri.clone()),
        })
        .collect();
    let changes: Vec<Change> = contacts
        .into_iter()
        .map(|contact| {
            let seconds = granted(aor, contact.expires().or(default));
            let until = now + Duration::from_secs(seconds.into());
            (contact, (seconds > 0).then_some(until))
        })
        .collect();
    let rules = Rules {
        max_contacts: usize::try_from(aor.max_contacts).unwrap_or(usize::MAX),
        remove_existing: aor.remove_existing,
        remove_unavailable: aor.remove_unavailable,
    };
    let (updated, saving) = change(shared, source, |location| {
        location.update(&aor.id, &changes, rules, source)
    });
    let updated = updated.map_err(|refused| {
        if refused == Refused::TooMany {
            tracing::warn!(
                endpoint = source.endpoint,
                aor = aor.id,
                from = %Name(&source.flow),
                "registration refused: it would exceed max contacts of {}",
                aor.max_contacts
            );
        }
        denied(refused, aor)
    })?;
    log(aor, source, &updated, request);
    let bound = parties.iter().filter_map(|party| party.contact.clone());
    let bound = bound.collect();
    if !parties.is_empty() {
        shared.command(Command::Registered {
            flow: source.flow,
            parties,
        });
    }
    Ok((saving, bound))
}

/// The seconds granted: clamped without 423, as Asterisk does.
fn granted(aor: &Aor, asked: Option<u32>) -> u32 {
    match asked {
        Some(0) => 0,
        // A minimum above the maximum is a slip of the configuration; the maximum holds.
        Some(seconds) => seconds
            .max(aor.minimum_expiration_s)
            .min(aor.maximum_expiration_s.max(1)),
        None => aor.default_expiration_s.max(1),
    }
}

fn denied(refused: Refused, aor: &Aor) -> Denied {
    match refused {
        Refused::TooMany => Denied::with_warning(
            Status::FORBIDDEN,
            &format!(
                "{} contacts are registered to {} already; raise max_contacts or set remove_existing=yes",
                aor.max_contacts, aor.id
            ),
        ),
        Refused::OutOfOrder => Denied::with_warning(
            Status::SERVER_INTERNAL_ERROR,
            "A later REGISTER of this Call-ID came before this one",
        ),
        Refused::FlowGone | Refused::Full => {
            Denied::retry_after(Status::SERVICE_UNAVAILABLE, RETRY_AFTER_S)
        }
    }
}

fn log(aor: &Aor, source: &Source, updated: &Updated, request: &Request) {
    let from = Name(&source.flow);
    if updated.added > 0 {
        let agent = printable(
            request
                .headers
                .get(&HeaderName::UserAgent)
                .unwrap_or_default(),
        );
        tracing::info!(aor = aor.id, %from, agent, "registered");
    } else if updated.refreshed > 0 {
        tracing::debug!(aor = aor.id, %from, "registration refreshed");
    }
    if updated.removed > 0 {
        tracing::info!(aor = aor.id, %from, contacts = updated.removed, "unregistered");
    }
}

/// RFC 3261 §10.3 step 8: "The response MUST contain Contact header field values enumerating all
/// current bindings. Each Contact value MUST feature an \"expires\" parameter".
fn answer(
    shared: &Shared,
    aor: &Aor,
    request: &Request,
    source: &Source,
    now: Instant,
) -> Response {
    let mut response = request.response(Status::OK);
    response.headers.push(HeaderName::Date, &date(unix_s()));
    let (mut longest, mut path) = (None, Vec::new());
    for binding in shared.location().contacts(&aor.id) {
        let left = binding.expires_at.saturating_duration_since(now);
        // What is granted now is said in full, though a millisecond of it has passed.
        let seconds = (left + Duration::from_millis(999)).as_secs();
        let own = binding.flow.id == source.flow.id;
        longest = longest.max((own && seconds > 0).then_some(seconds));
        if own {
            path.clone_from(&binding.path);
        }
        response.headers.push(
            HeaderName::Contact,
            &with_expires(&binding.contact, seconds),
        );
    }
    if let Some(seconds) = longest {
        response
            .headers
            .push(HeaderName::Expires, &seconds.to_string());
    }
    // RFC 3327 §5.3: "the registrar … includes a copy of the Path … in the 200".
    for hop in &path {
        response.headers.push(HeaderName::Path, hop);
    }
    response
}

/// The contact as it came, its `expires` replaced.
fn with_expires(contact: &Contact, seconds: u64) -> String {
    let mut params = contact.address.params.clone();
    params.set("expires", Some(&seconds.to_string()));
    let raw = contact.raw();
    let address = match end_of_brackets(raw) {
        Some(end) => &raw[..end],
        None => raw.split(';').next().unwrap_or(raw).trim_end(),
    };
    format!("{address}{params}")
}

/// The byte after the `>` of `"name" <uri>`; a display name may have one of its own in quotes.
fn end_of_brackets(raw: &str) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in raw.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'>' if !quoted => return Some(at + 1),
            b';' if !quoted && !raw[..at].contains('<') => return None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contact_is_echoed_as_it_came() {
        let cases = [
            (
                "<sip:2qcaq1fp@s58im4vdpmpn.invalid;transport=ws>;+sip.ice;reg-id=1;+sip.instance=\"<urn:uuid:f40e>\";expires=600",
                "<sip:2qcaq1fp@s58im4vdpmpn.invalid;transport=ws>;+sip.ice;reg-id=1;+sip.instance=\"<urn:uuid:f40e>\";expires=60",
            ),
            (
                "\"al>i;ce\\\"\"<sip:alice@df7jal23ls0d.invalid;rtcweb-breaker=no>;Expires=200;click2call=no",
                "\"al>i;ce\\\"\"<sip:alice@df7jal23ls0d.invalid;rtcweb-breaker=no>;Expires=60;click2call=no",
            ),
            ("<sip:a@b>", "<sip:a@b>;expires=60"),
            ("sip:a@b;q=0.5", "sip:a@b;q=0.5;expires=60"),
        ];
        for (came, echoed) in cases {
            let contact = Contact::parse(came).unwrap();
            let echo = with_expires(&contact, 60);
            assert!(echo.eq_ignore_ascii_case(echoed), "{echo}\n{echoed}");
        }
    }

    #[test]
    fn times_are_clamped_and_zero_stays_zero() {
        let mut aor = Aor::new("alice");
        assert_eq!(granted(&aor, Some(0)), 0);
        assert_eq!(granted(&aor, Some(10)), 60);
        assert_eq!(granted(&aor, Some(99_999)), 7_200);
        assert_eq!(granted(&aor, Some(300)), 300);
        assert_eq!(granted(&aor, None), 3_600);
        (aor.minimum_expiration_s, aor.maximum_expiration_s) = (600, 100);
        assert_eq!(granted(&aor, Some(300)), 100);
    }
}
