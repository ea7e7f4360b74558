//! The options of an endpoint.

use super::{Endpoint, codecs, sockets, words};
use crate::option::{Parse, Row, flag, inert, row};
use crate::registration::proxy;

pub(super) const OPTIONS: &[Row<Endpoint>] = &[
    row(
        "100rel",
        "yes",
        Parse::Own(words::provisional_acks),
        "Provisional answers are acknowledged (RFC 3262): no; yes, where it asks for that; \
         peer_supported, where it can; required, always.",
    ),
    row(
        "accountcode",
        "",
        Parse::Optional(|e| &mut e.accountcode),
        "The account of its calls, written into their records.",
    ),
    row(
        "acl",
        "",
        Parse::Own(|e, v| e.acl.name(v)),
        "Sections of acl.conf that say where its requests may come from; others get 403.",
    ),
    row(
        "aggregate_mwi",
        "yes",
        Parse::YesNo(|e| &mut e.aggregate_mwi),
        "Tells what waits in all its `mailboxes` in one NOTIFY; if not, in one for each.",
    ),
    row(
        "allow",
        "",
        Parse::Own(codecs::allow),
        "Codecs, the preferred one first; `all`; `!name` takes out.",
    ),
    row(
        "allow_overlap",
        "yes",
        Parse::YesNo(|e| &mut e.allow_overlap),
        "Answers 484 instead of 404 where the number could go on.",
    ),
    row(
        "allow_subscribe",
        "yes",
        Parse::YesNo(|e| &mut e.allow_subscribe),
        "May subscribe to events; if not, it gets 603.",
    ),
    row(
        "allow_transfer",
        "yes",
        Parse::YesNo(|e| &mut e.allow_transfer),
        "May send the party it talks to on (REFER); if not, it gets 603.",
    ),
    row(
        "allow_unauthenticated_options",
        "no",
        Parse::YesNo(|e| &mut e.allow_unauthenticated_options),
        "Its OPTIONS need not be signed.",
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
        "bind_rtp_to_media_address",
        "no",
        Parse::YesNo(|e| &mut e.sockets.is_address_bound),
        "Media of a phone goes by `media_address` or not at all; without it, by the address its signalling comes to, \
         where the former is none of this machine.",
    ),
    row(
        "bundle",
        "no",
        Parse::YesNo(|e| &mut e.bundle),
        "One port for all its streams (BUNDLE, RFC 9143), if the phone agrees; sets `rtcp_mux`. Browsers always have it.",
    ),
    row(
        "call_group",
        "",
        Parse::Own(|e, v| e.call_groups.number(v)),
        "Groups, 0 to 63, whose members may pick up its ringing calls: `1,3-5`.",
    ),
    row(
        "callerid",
        "",
        Parse::Own(words::caller_id),
        "How it is shown to those it calls.",
    ),
    row(
        "callerid_privacy",
        "allowed_not_screened",
        Parse::Own(words::caller_privacy),
        "Who may see it: allowed or prohib, alone or with _not_screened, _passed_screen, _failed_screen; unavailable.",
    ),
    row(
        "callerid_tag",
        "",
        Parse::Text(|e| &mut e.caller_tag),
        "What the dial plan finds in CALLERID(tag); nobody outside sees it.",
    ),
    row(
        "codec_prefs_incoming_answer",
        "",
        Parse::Own(codecs::incoming_answer),
        "Which codecs of an answer of it are used, and in which order: `prefer: pending, operation: \
         intersect, keep: all` where it says nothing else.",
    ),
    row(
        "codec_prefs_incoming_offer",
        "",
        Parse::Own(codecs::incoming_offer),
        "Which codecs of an offer of it are used, and in which order: `prefer: pending, operation: \
         intersect, keep: all, transcode: allow` where it says nothing else; without this option what \
         `incoming_call_offer_pref` says.",
    ),
    row(
        "codec_prefs_outgoing_answer",
        "",
        Parse::Own(codecs::outgoing_answer),
        "The codecs of an answer to it, by those of the party it called: `prefer: pending, \
         operation: intersect, keep: all, transcode: allow` where it says nothing else.",
    ),
    row(
        "codec_prefs_outgoing_offer",
        "",
        Parse::Own(codecs::outgoing_offer),
        "The codecs of an offer to it, by those of the party that calls: `prefer: pending, \
         operation: union, keep: all, transcode: allow` where it says nothing else; without this option \
         what `outgoing_call_offer_pref` says.",
    ),
    row(
        "connected_line_method",
        "invite",
        Parse::Own(words::connected_line_method),
        "How it is told in a call who it is connected to: `invite` is UPDATE where it allows that, else a \
         re-INVITE; `update` is UPDATE in any case.",
    ),
    row(
        "contact_acl",
        "",
        Parse::Own(|e, v| e.contact_acl.name(v)),
        "Sections of acl.conf that say what hosts of its Contacts may be; others get 403.",
    ),
    row(
        "contact_deny",
        "",
        Parse::Own(|e, v| e.contact_acl.own.add(false, v)),
        "Networks hosts of its Contacts may not be in; repeatable, the last one that fits decides.",
    ),
    row(
        "contact_permit",
        "",
        Parse::Own(|e, v| e.contact_acl.own.add(true, v)),
        "Networks hosts of its Contacts may be in; repeatable, the last one that fits decides.",
    ),
    row(
        "context",
        "default",
        Parse::Text(|e| &mut e.context),
        "Where its calls start.",
    ),
    row(
        "cos_audio",
        "0",
        Parse::Own(|e, v| sockets::cos(&mut e.sockets.audio, v)),
        "Priority of the sound sent to a phone, 0 to 7 (SO_PRIORITY).",
    ),
    row(
        "cos_video",
        "0",
        Parse::Own(|e, v| sockets::cos(&mut e.sockets.video, v)),
        "Priority of the pictures sent to a phone, 0 to 7 (SO_PRIORITY).",
    ),
    row(
        "deny",
        "",
        Parse::Own(|e, v| e.acl.own.add(false, v)),
        "Networks its requests may not come from; repeatable, the last one that fits decides.",
    ),
    row(
        "device_state_busy_at",
        "0",
        Parse::Number(|e| &mut e.device_state_busy_at, 0, 10_000),
        "From so many calls on, lamps show it as busy; 0: never.",
    ),
    row(
        "disallow",
        "",
        Parse::Own(codecs::disallow),
        "Codecs to take out; `all`.",
    ),
    inert(
        "dtls_auto_generate_cert",
        "no",
        Parse::Own(words::always),
        "Makes the certificate of DTLS itself.",
        "a certificate is made in any case",
    ),
    row(
        "dtls_fingerprint",
        "SHA-256",
        Parse::Own(words::dtls_fingerprint),
        "What the fingerprint of our certificate is made with for a phone: SHA-256 or SHA-1. Browsers get SHA-256.",
    ),
    row(
        "dtls_setup",
        "actpass",
        Parse::Own(words::dtls_setup),
        "Who begins the handshake with a phone: active, we do; passive, it does; actpass, it may choose, and where \
         it leaves it to us it does.",
    ),
    row(
        "dtmf_mode",
        "rfc4733",
        Parse::Own(words::dtmf_mode),
        "How digits come from it and are sent to it: `rfc4733` as telephone events, as tones where it takes none; \
         `inband` as tones; `info` by SIP INFO; `auto` and `auto_info` as events, and where it takes none as tones or \
         by INFO; `none` not at all. INFO is heard in any case, tones with `inband` and with `auto` where it takes no events.",
    ),
    flag(
        "force_avp",
        "no",
        |e| &mut e.force_avp,
        "Offers DTLS as RTP/SAVP, without naming it in the profile. An answer has the profile of the offer.",
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
    flag(
        "ice_support",
        "no",
        |e| &mut e.ice_support,
        "Finds the path of media by ICE (RFC 8445), if it does so too. Browsers have it always.",
    ),
    row(
        "identify_by",
        "",
        Parse::Own(words::identify_by),
        "username (user of From), auth_username (that of the digest), or both; both if unset.",
    ),
    row(
        "incoming_call_offer_pref",
        "local",
        Parse::Own(codecs::incoming_call),
        "The order of the codecs of its offers: that of `allow` (local) or its own (remote); `_first` uses \
         the best alone.",
    ),
    row(
        "incoming_mwi_mailbox",
        "",
        Parse::Optional(|e| &mut e.incoming_mwi_mailbox),
        "The mailbox that its own NOTIFYs about messages tell of, as those of a trunk whose provider has the voicemail.",
    ),
    row(
        "language",
        "",
        Parse::Optional(|e| &mut e.language),
        "The language of its prompts, as CHANNEL(language) tells.",
    ),
    row(
        "mailboxes",
        "",
        Parse::Names(|e| &mut e.mailboxes),
        "Mailboxes its contacts are told of without a subscription, when they register and at each change (RFC 3842).",
    ),
    row(
        "max_audio_streams",
        "1",
        Parse::Own(words::max_audio),
        "Audio streams it may have at once.",
    ),
    row(
        "max_video_streams",
        "1",
        Parse::Own(words::max_video),
        "Video streams it may have at once.",
    ),
    row(
        "media_address",
        "",
        Parse::Own(sockets::address),
        "The address that the SDP to a phone names for media, before that of `rtp.conf` and of the transport. Media is \
         sent from it where it is one of this machine.",
    ),
    row(
        "media_encryption",
        "no",
        Parse::Own(words::media_encryption),
        "no; sdes: keys in the SDP (RFC 4568); dtls: by a handshake (RFC 5764).",
    ),
    row(
        "media_encryption_optimistic",
        "no",
        Parse::YesNo(|e| &mut e.media_encryption_optimistic),
        "With sdes, media goes in the clear where it cannot encrypt.",
    ),
    inert(
        "media_use_received_transport",
        "no",
        Parse::YesNo(|e| &mut e.media_use_received_transport),
        "Answers in the profile of the offer.",
        "an answer always has the profile of the offer",
    ),
    row(
        "message_context",
        "",
        Parse::Optional(|e| &mut e.message_context),
        "Where its text messages start in the dial plan; `context` if unset.",
    ),
    row(
        "moh_passthrough",
        "no",
        Parse::YesNo(|e| &mut e.moh_passthrough),
        "Held by the party it talks to, it is told so by re-INVITE instead of hearing music.",
    ),
    row(
        "moh_suggest",
        "default",
        Parse::Text(|e| &mut e.moh_suggest),
        "The class of music that those it holds hear, unless CHANNEL(musicclass) of theirs names another.",
    ),
    row(
        "mwi_from_user",
        "",
        Parse::Optional(|e| &mut e.mwi_from_user),
        "The user of From in NOTIFYs about `mailboxes`, before `from_user`.",
    ),
    row(
        "mwi_subscribe_replaces_unsolicited",
        "no",
        Parse::YesNo(|e| &mut e.mwi_subscribe_replaces_unsolicited),
        "Who has subscribed to message-summary is not told of `mailboxes` besides.",
    ),
    row(
        "named_call_group",
        "",
        Parse::Own(|e, v| e.call_groups.name(v)),
        "Names of groups whose members may pick up its ringing calls.",
    ),
    row(
        "named_pickup_group",
        "",
        Parse::Own(|e, v| e.pickup_groups.name(v)),
        "Names of groups whose ringing calls it may pick up.",
    ),
    row(
        "notify_early_inuse_ringing",
        "no",
        Parse::YesNo(|e| &mut e.notify_early_inuse_ringing),
        "Its lamps show an extension that rings while it talks as ringing.",
    ),
    row(
        "outbound_auth",
        "",
        Parse::Names(|e| &mut e.outbound_auth),
        "What calls to it are signed with where it asks for that.",
    ),
    row(
        "outbound_proxy",
        "",
        Parse::Own(|e, v| proxy(&mut e.outbound_proxy, v)),
        "The proxy requests to it go through, as a Route.",
    ),
    row(
        "outgoing_call_offer_pref",
        "remote_merge",
        Parse::Own(codecs::outgoing_call),
        "The codecs it is offered: those of `allow` (local) or of who calls it (remote) first; those of both \
         alone, unless `_merge` adds the others of `allow`; `_first` offers the best alone.",
    ),
    row(
        "overlap_context",
        "",
        Parse::Optional(|e| &mut e.overlap_context),
        "Where it is looked whether a number could go on; `context` if unset.",
    ),
    row(
        "permit",
        "",
        Parse::Own(|e, v| e.acl.own.add(true, v)),
        "Networks its requests may come from; repeatable, the last one that fits decides.",
    ),
    row(
        "pickup_group",
        "",
        Parse::Own(|e, v| e.pickup_groups.number(v)),
        "Groups, 0 to 63, whose ringing calls it may pick up: `1,3-5`.",
    ),
    flag(
        "preferred_codec_only",
        "no",
        |e| &mut e.preferred_codec_only,
        "Its offers are answered with the best codec alone.",
    ),
    row(
        "redirect_method",
        "user",
        Parse::Own(words::redirect_method),
        "What becomes of a call it sends on to another address (3xx): user dials the user of that address \
         as an extension; uri_core and uri_pjsip call the address.",
    ),
    row(
        "refer_blind_progress",
        "yes",
        Parse::YesNo(|e| &mut e.refer_blind_progress),
        "Tells who transfers blindly how the new call goes on (NOTIFY of 100, 180 or 183, then 200 or why not), also \
         after its own call has ended; if not, 200 at once.",
    ),
    row(
        "rpid_immediate",
        "no",
        Parse::YesNo(|e| &mut e.rpid_immediate),
        "Says before the answer, as soon as it is known, who it is going to be connected to.",
    ),
    row(
        "rtcp_mux",
        "no",
        Parse::YesNo(|e| &mut e.rtcp_mux),
        "RTCP may share the port of RTP (RFC 5761); with DTLS it always does.",
    ),
    row(
        "rtp_keepalive",
        "0",
        Parse::Number(|e| &mut e.rtp_keepalive_s, 0, SECONDS_MAX),
        "Seconds after which comfort noise is sent where nothing else is; 0 is never. ICE does its own.",
    ),
    row(
        "rtp_port_end",
        "0",
        Parse::Own(sockets::port_end),
        "The last of the ports of its media, with `rtp_port_start`; 0: those of rtp.conf. Browsers have the port that \
         all share.",
    ),
    row(
        "rtp_port_start",
        "0",
        Parse::Own(sockets::port_start),
        "The first of the ports of its media, with `rtp_port_end`; 0: those of rtp.conf.",
    ),
    row(
        "rtp_symmetric",
        "no",
        Parse::YesNo(|e| &mut e.rtp_symmetric),
        "Media goes to where its own comes from, not where its SDP says; with ICE it always does.",
    ),
    row(
        "rtp_timeout",
        "0",
        Parse::Number(|e| &mut e.rtp_timeout_s, 0, SECONDS_MAX),
        "Seconds without RTP that end a call; 0 is never. With ICE a lost peer is noticed in 30 seconds.",
    ),
    row(
        "rtp_timeout_hold",
        "0",
        Parse::Number(|e| &mut e.rtp_timeout_hold_s, 0, SECONDS_MAX),
        "The same while the call is on hold.",
    ),
    row(
        "send_connected_line",
        "yes",
        Parse::YesNo(|e| &mut e.send_connected_line),
        "Says in calls who it is connected to; only with send_pai or send_rpid.",
    ),
    row(
        "send_diversion",
        "yes",
        Parse::YesNo(|e| &mut e.send_diversion),
        "Says in Diversion (RFC 5806) who sent a call on to it.",
    ),
    row(
        "send_history_info",
        "no",
        Parse::YesNo(|e| &mut e.send_history_info),
        "Says in History-Info (RFC 7044) whom a call was for before it was sent on to it.",
    ),
    row(
        "send_pai",
        "no",
        Parse::YesNo(|e| &mut e.send_pai),
        "Says who calls it in P-Asserted-Identity too.",
    ),
    row(
        "send_rpid",
        "no",
        Parse::YesNo(|e| &mut e.send_rpid),
        "Says who calls it in Remote-Party-ID too.",
    ),
    row(
        "set_var",
        "",
        Parse::Own(words::set_var),
        "A variable of its calls, `name=value`; repeatable.",
    ),
    row(
        "srtp_tag_32",
        "no",
        Parse::YesNo(|e| &mut e.srtp_tag_32),
        "AES_CM_128_HMAC_SHA1_32 is offered first, with sdes and with dtls to a phone.",
    ),
    row(
        "sub_min_expiry",
        "60",
        Parse::Number(|e| &mut e.sub_min_expiry_s, 0, SECONDS_MAX),
        "The shortest seconds it may subscribe for; less is answered 423.",
    ),
    row(
        "subscribe_context",
        "",
        Parse::Optional(|e| &mut e.subscribe_context),
        "Where the hints are that it may subscribe to; `context` if unset.",
    ),
    row(
        "suppress_moh_on_sendonly",
        "no",
        Parse::YesNo(|e| &mut e.suppress_moh_on_sendonly),
        "Those it holds by `sendonly` hear no music, but what it sends itself.",
    ),
    row(
        "timers",
        "yes",
        Parse::Own(words::timers),
        "no, yes, required or always: signs of life in calls (RFC 4028).",
    ),
    row(
        "timers_min_se",
        "90",
        Parse::Number(|e| &mut e.timers_min_se_s, 90, SECONDS_MAX),
        "The shortest seconds between two signs of life that are accepted.",
    ),
    row(
        "timers_sess_expires",
        "1800",
        Parse::Number(|e| &mut e.timers_sess_expires_s, 90, SECONDS_MAX),
        "Seconds between two signs of life that are asked for.",
    ),
    row(
        "tone_zone",
        "",
        Parse::Optional(|e| &mut e.tone_zone),
        "The country of indications.conf whose tones it hears, as CHANNEL(tonezone) tells.",
    ),
    row(
        "tos_audio",
        "0",
        Parse::Own(|e, v| sockets::tos(&mut e.sockets.audio, v)),
        "The type of service of the sound sent to a phone: `ef`, `af41`, `cs5`, or a number.",
    ),
    row(
        "tos_video",
        "0",
        Parse::Own(|e, v| sockets::tos(&mut e.sockets.video, v)),
        "The type of service of the pictures sent to a phone: `af41`, `cs4`, or a number.",
    ),
    row(
        "transport",
        "",
        Parse::Optional(|e| &mut e.transport),
        "What its calls come by; it is called over the flow it registered from.",
    ),
    row(
        "trust_connected_line",
        "yes",
        Parse::YesNo(|e| &mut e.trust_connected_line),
        "Believes it in calls who it is, if trust_id_inbound is set too.",
    ),
    row(
        "trust_id_inbound",
        "no",
        Parse::YesNo(|e| &mut e.trust_id_inbound),
        "Believes P-Asserted-Identity and Remote-Party-ID about who calls.",
    ),
    row(
        "trust_id_outbound",
        "no",
        Parse::YesNo(|e| &mut e.trust_id_outbound),
        "Lets it see private numbers: in P-Asserted-Identity and Remote-Party-ID, marked as private.",
    ),
    row(
        "use_avpf",
        "no",
        Parse::YesNo(|e| &mut e.use_avpf),
        "Offers AVPF or SAVPF and refuses other profiles; a browser's may have any name.",
    ),
    row(
        "user_eq_phone",
        "no",
        Parse::YesNo(|e| &mut e.user_eq_phone),
        "Marks numbers in what goes to it as such: `;user=phone`.",
    ),
    row(
        "voicemail_extension",
        "",
        Parse::Optional(|e| &mut e.voicemail_extension),
        "The extension it calls to hear its messages, told as Message-Account in NOTIFYs about mailboxes; \
         `default_voicemail_extension` if unset.",
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
