//! Are the contacts there? OPTIONS to each of them, as the `qualify_…` options of its address say
//! (RFC 3261 §11).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::sip::{Flow, Host, Login, Method, NameAddr, Request, Uri};
use config::{Aor, Config, Subscriber};

use crate::sip::command::Command;
use crate::sip::location::Written;
use crate::sip::mwi::Mwi;
use crate::sip::outbound::{Route, address_of, call_id, logins_of};
use crate::sip::shared::{Shared, now};

/// A contact that has just been registered is asked within this time.
const FIRST_MAX: Duration = Duration::from_secs(1);

/// How contacts are asked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Qualify {
    /// How often; never if zero.
    pub(crate) every: Duration,
    /// How long an answer may take.
    pub(crate) patience: Duration,
    /// Whether only a 2xx counts as an answer.
    pub(crate) success_only: bool,
    /// What a challenge is answered with; nothing unless `authenticate_qualify` says so.
    pub(crate) logins: Vec<Login>,
}

/// What is known of whether a contact is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ContactStatus {
    /// It is not asked.
    #[default]
    NotQualified,
    /// It has not been asked yet.
    Unknown,
    /// It answered, after this time.
    Available(Duration),
    /// It did not answer.
    Unavailable,
}

/// How one contact is watched. It outlives refreshes of the registration.
#[derive(Debug, Clone, Default)]
pub(crate) struct Watch {
    /// Its name; 0 before it is watched.
    pub(crate) id: u64,
    pub(crate) qualify: Option<Arc<Qualify>>,
    /// When it is asked next.
    pub(crate) at: Option<Instant>,
    pub(crate) status: ContactStatus,
}

impl Watch {
    /// Whether the contact is worth calling: it is, unless it is asked again and again and did not answer
    /// last.
    pub(crate) fn answers(&self) -> bool {
        self.at.is_none() || self.status != ContactStatus::Unavailable
    }
}

/// A contact to be asked now.
#[derive(Debug, Clone)]
pub(crate) struct Probe {
    pub(crate) aor: String,
    pub(crate) id: u64,
    pub(crate) uri: Uri,
    pub(crate) route: Route,
    pub(crate) path: Vec<String>,
    pub(crate) qualify: Arc<Qualify>,
}

impl Qualify {
    pub(crate) fn of(shared: &Shared, subscriber: &Subscriber, aor: &Aor) -> Self {
        Self {
            every: Duration::from_secs(aor.qualify_frequency_s.into()),
            patience: Duration::from_millis(aor.qualify_timeout_ms.into()),
            success_only: aor.qualify_2xx_only,
            logins: match aor.authenticate_qualify {
                true => logins_of(shared, subscriber),
                false => Vec::new(),
            },
        }
    }
}

impl Probe {
    /// The OPTIONS, complete but for Via.
    pub(crate) fn request(&self, user: &str, flow: &Flow) -> Request {
        let host = Host::from(flow.local.ip().to_canonical());
        let mut from = NameAddr::new(Uri::sip(Some(user), &host, None));
        from.set_tag(&call_id());
        let mut request = Request::new(Method::Options, self.uri.clone());
        let headers = &mut request.headers;
        for hop in &self.path {
            headers.push(::sip::HeaderName::Route, hop);
        }
        let to = NameAddr::new(self.uri.clone()).to_string();
        for (name, value) in [
            (::sip::HeaderName::MaxForwards, "70"),
            (::sip::HeaderName::From, &from.to_string()),
            (::sip::HeaderName::To, &to),
            (::sip::HeaderName::CallId, &call_id()),
            (::sip::HeaderName::CSeq, "1 OPTIONS"),
            (::sip::HeaderName::Accept, "application/sdp"),
        ] {
            headers.push(name, value);
        }
        request
    }
}

/// The contacts of an address have changed.
pub(crate) fn watch(shared: &Shared, subscriber: &Subscriber, aor: &Aor, now: Instant) {
    let qualify = Arc::new(Qualify::of(shared, subscriber, aor));
    shared.location().watch(&aor.id, &qualify, now, FIRST_MAX);
}

/// Watches the contacts that are there already: those that survived a restart, or all after a reload.
/// They are asked spread over `max_initial_qualify_time`, else over their own interval.
///
/// After two reloads in a row the first may be done last: what is found in a configuration counts only while that is
/// in force, which is asked under the lock of the table.
pub(crate) async fn adopt(shared: Arc<Shared>) {
    let config = shared.switch.config();
    read_written(&shared, &config, true).await;
    let aors = shared.location().aors();
    let most = config.global.max_initial_qualify_time_s;
    let mut mailboxes = Vec::new();
    for (name, endpoint) in aors {
        // The database is not asked for all of them at once; a fault of it leaves things as they are.
        let Ok(Some(subscriber)) = shared.switch.store().subscriber(&endpoint).await else {
            continue;
        };
        mailboxes.push(Mwi::of(&subscriber));
        let Some(aor) = subscriber.aors.iter().find(|aor| aor.id == name) else {
            continue;
        };
        let qualify = Arc::new(Qualify::of(&shared, &subscriber, aor));
        let first = match most {
            0 => qualify.every,
            most => Duration::from_secs(most.into()),
        };
        let mut location = shared.location();
        if !is_in_force(&shared, &config) {
            return;
        }
        location.watch(&name, &qualify, now(), first);
    }
    shared.command(Command::Qualify { aors: Vec::new() });
    shared.command(Command::AllMailboxes {
        config,
        all: mailboxes,
    });
}

/// Looks again where the contacts that stand in the files are: names move. What DNS said is kept as long as it
/// said, so this costs little.
pub(crate) async fn look_again(shared: Arc<Shared>) {
    let config = shared.switch.config();
    read_written(&shared, &config, false).await;
    let aors = shared.location().written_aors();
    for (name, endpoint) in aors {
        // One that was left out because nobody knew where it is may be there now.
        if let Ok(Some(subscriber)) = shared.switch.store().subscriber(&endpoint).await
            && let Some(aor) = subscriber.aors.iter().find(|aor| aor.id == name)
        {
            watch(&shared, &subscriber, aor, now());
        }
    }
    shared.command(Command::Qualify { aors: Vec::new() });
}

/// The contacts that stand in the files, each with its address. One whose name cannot be resolved is left out
/// until that is tried again; a call to it says why.
async fn read_written(shared: &Shared, config: &Arc<Config>, is_new: bool) {
    let mut aors = BTreeSet::new();
    for subscriber in config.endpoints.values() {
        for aor in subscriber
            .aors
            .iter()
            .filter(|aor| !aor.contacts.is_empty())
        {
            if !aors.insert(aor.id.clone()) {
                continue;
            }
            let mut contacts = Vec::new();
            for text in &aor.contacts {
                let proxy = aor.outbound_proxy.as_deref();
                match address_of(shared, subscriber, proxy, text).await {
                    Ok((uri, hops, path)) => contacts.push(Written {
                        uri,
                        endpoint: subscriber.endpoint.id.clone(),
                        hops,
                        path,
                        watch: Watch::default(),
                    }),
                    Err(error) if is_new => {
                        tracing::warn!(aor = aor.id, "contact left out: {error}");
                    }
                    Err(error) => tracing::debug!(aor = aor.id, "contact left out: {error}"),
                }
            }
            let mut location = shared.location();
            if !is_in_force(shared, config) {
                return;
            }
            location.write(&aor.id, contacts);
        }
    }
    let mut location = shared.location();
    if is_in_force(shared, config) {
        location.keep_written(&aors);
    }
}

fn is_in_force(shared: &Shared, config: &Arc<Config>) -> bool {
    Arc::ptr_eq(config, &shared.switch.config())
}
