//! Who may speak at all: the lists of addresses of the whole exchange (`type=acl`) and of endpoints.

use std::net::IpAddr;
use std::time::Duration;

use ::sip::{Contacts, Flow, Request, Status};
use config::{AddressLists, Config, Endpoint};

use crate::sip::authenticate::Denied;
use crate::sip::banned;
use crate::sip::shared::{Shared, now};
use crate::sip::strangers::Threshold;

/// A refused address has one line in this time, however much it sends.
const SAID_EVERY: Threshold = Threshold {
    count: 1,
    period: Duration::from_secs(5),
    forget: Duration::from_secs(30),
};

/// Refuses what the lists of the whole exchange keep out.
pub(crate) fn check_exchange(
    shared: &Shared,
    config: &Config,
    flow: &Flow,
    request: &Request,
) -> Result<(), Denied> {
    for acl in &config.acls {
        check(
            shared,
            config,
            flow,
            request,
            &acl.source,
            &acl.contact,
            &format_args!("acl {}", acl.id),
        )?;
    }
    Ok(())
}

/// Refuses what the lists of one endpoint keep out.
pub(crate) fn check_endpoint(
    shared: &Shared,
    config: &Config,
    flow: &Flow,
    request: &Request,
    endpoint: &Endpoint,
) -> Result<(), Denied> {
    let owner = format_args!("the acl of endpoint {}", endpoint.id);
    check(
        shared,
        config,
        flow,
        request,
        &endpoint.acl,
        &endpoint.contact_acl,
        &owner,
    )
}

fn check(
    shared: &Shared,
    config: &Config,
    flow: &Flow,
    request: &Request,
    source: &AddressLists,
    contact: &AddressLists,
    owner: &std::fmt::Arguments<'_>,
) -> Result<(), Denied> {
    let from = flow.remote.ip();
    if !config.admits(source, from) {
        say(shared, flow, owner, request, What::Source);
        return Err(Denied::new(Status::FORBIDDEN));
    }
    if !contact.is_empty() && contact_addresses(request).any(|host| !config.admits(contact, host)) {
        say(shared, flow, owner, request, What::Contact);
        return Err(Denied::new(Status::FORBIDDEN));
    }
    Ok(())
}

/// Hosts of Contacts that are addresses; a name is what a browser draws at random, and no list holds it.
fn contact_addresses(request: &Request) -> impl Iterator<Item = IpAddr> {
    let list = match request.headers.contacts() {
        Ok(Contacts::List(list)) => list,
        Ok(Contacts::Star) | Err(_) => Vec::new(),
    };
    list.into_iter()
        .filter_map(|contact| contact.address.uri.host().and_then(|host| host.ip()))
}

/// What a list keeps out.
#[derive(Debug, Clone, Copy)]
enum What {
    Source,
    Contact,
}

fn say(
    shared: &Shared,
    flow: &Flow,
    owner: &std::fmt::Arguments<'_>,
    request: &Request,
    what: What,
) {
    if shared.refused().note(flow.remote.ip(), now(), SAID_EVERY) {
        let (what, words) = match what {
            What::Source => ("the address it came from", "Not match Endpoint ACL"),
            What::Contact => ("the host of its Contact", "Not match Endpoint Contact ACL"),
        };
        banned::log_unproven(flow, request, words);
        let (remote, method) = (flow.remote, request.method.as_str());
        tracing::warn!(%remote, method, "request refused: {owner} keeps out {what}");
    }
}
