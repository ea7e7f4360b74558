//! Who we say we are, and how much a stranger may make us remember.

/// What our messages say of us.
#[derive(Debug, Clone, Default)]
pub struct Identity {
    /// The value of Server and User-Agent.
    pub server: String,
    /// The host (and port) of our Contact; `None` takes our end of the flow.
    pub host: Option<String>,
    /// Max-Forwards of our requests; the 70 of RFC 3261 if `None`.
    pub max_forwards: Option<u8>,
}

/// Bounds of the Agent's tables. Beyond them a new request gets 503 with Retry-After.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Client and server transactions together; requests over UDP outside known dialogs get half. An eighth more is kept back for CANCEL and what
    /// comes inside known dialogs, so that a full Agent can still keep and end its calls.
    pub transactions: usize,
    /// INVITE usages of both roles; each has one dialog, or up to `FORKS_MAX` while a forked
    /// INVITE of ours is pending.
    pub invites: usize,
    /// Dialogs, early ones of forks included.
    pub dialogs: usize,
    /// Subscriptions of others to us.
    pub subscriptions: usize,
    /// Those of one flow; a panel of lamps has one for each.
    pub subscriptions_per_flow: usize,
    /// Of a flow of which nobody knows who speaks there.
    pub per_flow: FlowLimits,
    /// Of a flow on which a caller has proven who he is ([`Agent::know`](super::Agent::know)): a trunk has all its calls
    /// on one.
    pub per_known_flow: FlowLimits,
}

/// Bounds of what one flow may ask for.
#[derive(Debug, Clone, Copy)]
pub struct FlowLimits {
    /// INVITEs without a final response.
    pub pending_invites: usize,
    /// Server transactions that live at a time: over UDP each of them 32 s.
    pub transactions: usize,
}

/// Early dialogs that a forked INVITE of ours may make (RFC 3261 §12.1.2); more are not tracked.
pub(crate) const FORKS_MAX: usize = 16;

/// Requests of one call that wait for the layer above at a time (INFO, MESSAGE…).
pub(crate) const REQUESTS_PER_INVITE_MAX: usize = 16;

/// The value of Retry-After in our 503, in seconds.
pub(crate) const RETRY_AFTER_S: u32 = 5;

impl Default for Limits {
    fn default() -> Self {
        Self {
            transactions: 100_000,
            invites: 20_000,
            dialogs: 25_000,
            subscriptions: 20_000,
            subscriptions_per_flow: 1_000,
            per_flow: FlowLimits {
                pending_invites: 16,
                transactions: 1_000,
            },
            per_known_flow: FlowLimits {
                pending_invites: 1_000,
                transactions: 20_000,
            },
        }
    }
}

/// How much the Agent holds now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Subscriptions of others.
    pub subscriptions: usize,
    /// Client and server transactions.
    pub transactions: usize,
    /// Early and confirmed dialogs.
    pub dialogs: usize,
    /// INVITE usages.
    pub invites: usize,
}
