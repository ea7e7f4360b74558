//! `type=endpoint`: a phone, a browser or a trunk.

use crate::acl::AddressLists;
use crate::aor::Aor;
use crate::auth::Auth;
use crate::caller_id::{CallerId, Presentation};
use crate::identify::IdentifyBy;
use crate::option::{Object, Row};
use crate::transport::Written;
use codec::{Codec, Preference};
use std::sync::Arc;

mod codecs;
mod groups;
mod options;
mod sockets;
mod words;

pub use groups::Groups;
pub(crate) use sockets::shown as sockets_shown;
pub use sockets::{Marks, Sockets};

/// An endpoint with the objects it names.
#[derive(Clone, Debug, PartialEq)]
pub struct Subscriber {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// Those of its `auth` that exist.
    pub auths: Vec<Arc<Auth>>,
    /// Those of its `aors` that exist.
    pub aors: Vec<Arc<Aor>>,
    /// Those of its `outbound_auth` that exist.
    pub outbound_auths: Vec<Arc<Auth>>,
}

/// What the exchange knows of a phone, a browser or a trunk.
#[derive(Clone, Debug, PartialEq)]
pub struct Endpoint {
    /// The section's name.
    pub id: String,
    /// Where it stands, for messages.
    pub written: Written,
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
    /// The codecs of its offers; `None`: what `incoming_call` says.
    pub incoming_offer: Option<Preference>,
    /// The codecs of its answers.
    pub incoming_answer: Preference,
    /// The same in the words of `incoming_call_offer_pref`.
    pub incoming_call: Preference,
    /// Whether its offers are answered with the best codec alone.
    pub preferred_codec_only: bool,
    /// The codecs of what it is offered, given those of the party it is called by; `None`: what
    /// `outgoing_call` says.
    pub outgoing_offer: Option<Preference>,
    /// The same in the words of `outgoing_call_offer_pref`.
    pub outgoing_call: Preference,
    /// The codecs of what it is answered, given those of the party it called.
    pub outgoing_answer: Preference,
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
    /// Who may see that.
    pub caller_privacy: Presentation,
    /// `callerid_tag`: what the dial plan finds in `CALLERID(tag)`.
    pub caller_tag: String,
    /// How its media is encrypted.
    pub media_encryption: MediaEncryption,
    /// Who begins a handshake with a phone.
    pub dtls_setup: DtlsSetup,
    /// Whether a phone gets a fingerprint made with SHA-1.
    pub is_dtls_sha1: bool,
    /// Whether offers do not name DTLS in their profile.
    pub force_avp: bool,
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
    /// Whether an endpoint that cannot encrypt is served in the clear.
    pub media_encryption_optimistic: bool,
    /// Whether 32 bits of authentication are preferred to 80 (SDES).
    pub srtp_tag_32: bool,
    /// Whether packets are sent to where its own come from.
    pub rtp_symmetric: bool,
    /// Where its media is sent from, and how it is marked.
    pub sockets: Sockets,
    /// Seconds after which a packet is sent where nothing else is; 0 is never.
    pub rtp_keepalive_s: u32,
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
    /// The country whose tones it hears.
    pub tone_zone: Option<String>,
    /// The user of `From` in requests to it.
    pub from_user: Option<String>,
    /// The domain of `From` in requests to it.
    pub from_domain: Option<String>,
    /// The proxy requests to it go through.
    pub outbound_proxy: Option<String>,
    /// How requests may be known as its own; see [`Self::is_identified_by`] for none.
    pub identify_by: Vec<IdentifyBy>,
    /// Where its requests may come from.
    pub acl: AddressLists,
    /// What the hosts of its Contacts may be.
    pub contact_acl: AddressLists,
    /// Whether it may subscribe to events.
    pub allow_subscribe: bool,
    /// Whether it may send the party it talks to on.
    pub allow_transfer: bool,
    /// Whether who transfers blindly is told how the new call goes on, not only that it was done.
    pub refer_blind_progress: bool,
    /// The context of the hints it may subscribe to; `context` if unset.
    pub subscribe_context: Option<String>,
    /// The shortest subscription that is accepted, in seconds.
    pub sub_min_expiry_s: u32,
    /// From so many calls on it counts as busy; 0 is never.
    pub device_state_busy_at: u32,
    /// Whether what rings and talks at once is shown to it as ringing.
    pub notify_early_inuse_ringing: bool,
    /// Mailboxes that its contacts are told of unasked.
    pub mailboxes: Vec<String>,
    /// Whether they are told of all of them in one.
    pub aggregate_mwi: bool,
    /// The user of From in what tells them.
    pub mwi_from_user: Option<String>,
    /// The extension it calls to hear its messages.
    pub voicemail_extension: Option<String>,
    /// The mailbox its own NOTIFYs tell of.
    pub incoming_mwi_mailbox: Option<String>,
    /// Whether they are not told while the endpoint has subscribed to mailboxes.
    pub mwi_subscribe_replaces_unsolicited: bool,
    /// The class of music that those it holds hear.
    pub moh_suggest: String,
    /// Whether it is told that it is held, instead of hearing music.
    pub moh_passthrough: bool,
    /// Whether those it holds by `sendonly` hear it and no music.
    pub suppress_moh_on_sendonly: bool,
    /// Whether a number that is too short is answered 484 instead of 404.
    pub allow_overlap: bool,
    /// Where it is looked whether a number is too short; `context` if unset.
    pub overlap_context: Option<String>,
    /// Whether OPTIONS need not be signed.
    pub allow_unauthenticated_options: bool,
    /// Whether what it says of its caller in P-Asserted-Identity is believed.
    pub trust_id_inbound: bool,
    /// Whether it may see numbers that are private.
    pub trust_id_outbound: bool,
    /// Whether it is told who it is connected to when that changes.
    pub send_connected_line: bool,
    /// Whether it is believed in the middle of a call who it is.
    pub trust_connected_line: bool,
    /// Whether it is told before the answer too, at once.
    pub rpid_immediate: bool,
    /// How it is told in the middle of a call.
    pub connected_line_method: ConnectedLineMethod,
    /// Whether it is told who sent a call on to it (RFC 5806).
    pub send_diversion: bool,
    /// Whether it is told the history of a call.
    pub send_history_info: bool,
    /// Whether the number that calls it is said in P-Asserted-Identity too (RFC 3325).
    pub send_pai: bool,
    /// Whether it is said in Remote-Party-ID too.
    pub send_rpid: bool,
    /// Whether numbers are marked as such: `;user=phone`.
    pub user_eq_phone: bool,
    /// What the exchange signs with where the endpoint asks for that.
    pub outbound_auth: Vec<String>,
    /// How calls are watched over (RFC 4028).
    pub timers: SessionTimers,
    /// The shortest time between two signs of life that is accepted, in seconds.
    pub timers_min_se_s: u32,
    /// The time between two signs of life that is asked for, in seconds.
    pub timers_sess_expires_s: u32,
    /// Groups whose members may pick up its ringing calls.
    pub call_groups: Groups,
    /// Groups whose ringing calls it may pick up.
    pub pickup_groups: Groups,
    /// What becomes of a call that it sends on to another address (3xx).
    pub redirect_method: RedirectMethod,
    /// Whether provisional answers are acknowledged (RFC 3262).
    pub provisional_acks: ProvisionalAcks,
}

/// `timers`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionTimers {
    /// `no`: never.
    No,
    /// `yes`: where the peer asks.
    Yes,
    /// `required`: only calls of peers that can.
    Required,
    /// `always`: also where the peer knows nothing of it.
    Always,
}

/// `redirect_method`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedirectMethod {
    /// `user`: the user of the address is dialled as an extension of the dial plan.
    User,
    /// `uri_core`: the address is called, by the endpoint that sent the call on.
    UriCore,
    /// `uri_pjsip`: the same.
    UriPjsip,
}

/// `100rel`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProvisionalAcks {
    /// `no`: never.
    No,
    /// `yes`: where the peer requires it.
    Yes,
    /// `required`: only calls of peers that can.
    Required,
    /// `peer_supported`: wherever the peer can.
    PeerSupported,
}

/// `connected_line_method`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectedLineMethod {
    /// `invite`: UPDATE if the peer allows it, else a re-INVITE.
    Invite,
    /// `update`: UPDATE, whatever the peer says it allows.
    Update,
}

/// `dtls_setup`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DtlsSetup {
    /// `actpass`: the phone may choose.
    Either,
    /// `active`: we begin.
    Active,
    /// `passive`: the phone begins.
    Passive,
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
    /// `none`: neither offered nor sent.
    None,
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

impl ConnectedLineMethod {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invite => "invite",
            Self::Update => "update",
        }
    }
}

impl Object for Endpoint {
    const KIND: &'static str = "endpoint";
    const OPTIONS: &'static [Row<Self>] = options::OPTIONS;

    fn named(id: &str) -> Self {
        Self::new(id)
    }

    fn finish(&mut self) {
        self.apply_webrtc();
        self.apply_privacy();
    }
}

impl Endpoint {
    /// The file whoever reads a message has to look into, with the line where that is known: `pjsip.conf:12`.
    pub fn file(&self) -> String {
        match self.written.file.as_str() {
            "" => "pjsip.conf".to_owned(),
            _ => self.written.to_string(),
        }
    }

    /// An object without options.
    #[expect(clippy::too_many_lines, reason = "one line for each option")]
    pub fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            written: Written::default(),
            aors: Vec::new(),
            auth: Vec::new(),
            context: "default".to_owned(),
            message_context: None,
            allow: Vec::new(),
            incoming_offer: None,
            incoming_answer: Preference::ANSWER,
            incoming_call: Preference::LOCAL,
            preferred_codec_only: false,
            outgoing_offer: None,
            outgoing_call: Preference::OFFER,
            outgoing_answer: Preference::ANSWER,
            transport: None,
            webrtc: false,
            max_audio_streams: 1,
            max_video_streams: 1,
            dtmf_mode: DtmfMode::Rfc4733,
            caller_id: None,
            caller_privacy: Presentation::default(),
            caller_tag: String::new(),
            media_encryption: MediaEncryption::No,
            dtls_setup: DtlsSetup::Either,
            is_dtls_sha1: false,
            force_avp: false,
            use_avpf: false,
            ice_support: false,
            rtcp_mux: false,
            bundle: false,
            media_use_received_transport: false,
            media_encryption_optimistic: false,
            srtp_tag_32: false,
            rtp_symmetric: false,
            sockets: Sockets::default(),
            rtp_keepalive_s: 0,
            rtp_timeout_s: 0,
            rtp_timeout_hold_s: 0,
            set_var: Vec::new(),
            accountcode: None,
            language: None,
            tone_zone: None,
            from_user: None,
            from_domain: None,
            outbound_proxy: None,
            identify_by: Vec::new(),
            acl: AddressLists::default(),
            contact_acl: AddressLists::default(),
            allow_subscribe: true,
            allow_transfer: true,
            refer_blind_progress: true,
            subscribe_context: None,
            sub_min_expiry_s: 60,
            device_state_busy_at: 0,
            notify_early_inuse_ringing: false,
            mailboxes: Vec::new(),
            aggregate_mwi: true,
            mwi_from_user: None,
            voicemail_extension: None,
            incoming_mwi_mailbox: None,
            mwi_subscribe_replaces_unsolicited: false,
            moh_suggest: "default".to_owned(),
            moh_passthrough: false,
            suppress_moh_on_sendonly: false,
            allow_overlap: true,
            overlap_context: None,
            allow_unauthenticated_options: false,
            trust_id_inbound: false,
            trust_id_outbound: false,
            send_connected_line: true,
            trust_connected_line: true,
            rpid_immediate: false,
            connected_line_method: ConnectedLineMethod::Invite,
            send_diversion: true,
            send_history_info: false,
            send_pai: false,
            send_rpid: false,
            user_eq_phone: false,
            outbound_auth: Vec::new(),
            timers: SessionTimers::Yes,
            timers_min_se_s: 90,
            timers_sess_expires_s: 1800,
            call_groups: Groups::default(),
            pickup_groups: Groups::default(),
            redirect_method: RedirectMethod::User,
            provisional_acks: ProvisionalAcks::Yes,
        }
    }

    /// Whether a request may be known as its own by the user of From or of the digest. What an
    /// `identify` object says of addresses, headers and URIs holds in any case.
    pub fn is_identified_by(&self, by: IdentifyBy) -> bool {
        self.identify_by.is_empty() || self.identify_by.contains(&by)
    }

    /// What its offers become.
    pub fn offers(&self) -> Preference {
        self.incoming_offer.unwrap_or(self.incoming_call)
    }

    /// What it is offered.
    pub fn offered(&self) -> Preference {
        self.outgoing_offer.unwrap_or(self.outgoing_call)
    }

    /// What is known of its caller gets its privacy and its tag, wherever in the section these stand.
    fn apply_privacy(&mut self) {
        if let Some(caller) = self.caller_id.take() {
            let mut caller = caller.presented(self.caller_privacy);
            caller.tag.clone_from(&self.caller_tag);
            self.caller_id = Some(caller);
        }
    }

    /// What `webrtc=yes` and `bundle=yes` imply, as in Asterisk; the former: ICE, RTCP on the port of RTP, AVPF and BUNDLE whatever
    /// else is written, and DTLS-SRTP unless another encryption is.
    pub fn apply_webrtc(&mut self) {
        if self.webrtc {
            if self.media_encryption == MediaEncryption::No {
                self.media_encryption = MediaEncryption::Dtls;
            }
            self.use_avpf = true;
            self.ice_support = true;
            self.rtcp_mux = true;
            self.bundle = true;
            self.media_use_received_transport = true;
        }
        // As in Asterisk: one port for all streams is one for their RTCP too.
        self.rtcp_mux |= self.bundle;
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
        let Endpoint {
            auth,
            aors,
            outbound_auth,
            ..
        } = &self.endpoint;
        self.auths.len() == auth.len()
            && self.aors.len() == aors.len()
            && self.outbound_auths.len() == outbound_auth.len()
    }
}
