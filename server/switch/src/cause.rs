//! Why a call ended: one table for every notation.
//!
//! A row joins the Q.850 value, the name Asterisk's dial plan uses (`HANGUPCAUSE`, `Hangup(name)`),
//! the SIP status that says the same before an answer (RFC 3398 §8.2.6.1), and a sentence in English
//! and Russian. The way back, from a SIP status, is [`Cause::from_status`] (RFC 3398 §7.2.4.1); where
//! RFC 3398 maps several causes to one status, the way back names the cause Asterisk reports.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// Defines [`Cause`] together with its table, so that no cause can lack a row.
macro_rules! causes {
    ($($variant:ident = $q850:literal, $name:literal, $status:literal, $english:literal, $russian:literal;)+) => {
        /// A hang-up cause, by its Q.850 name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Cause {
            $(
                #[doc = concat!($english, " (Q.850 ", $q850, ").")]
                $variant = $q850,
            )+
        }

        impl Cause {
            /// Every cause, in the order of its Q.850 value.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            fn row(self) -> &'static Row {
                match self {
                    $(Self::$variant => &Row {
                        name: $name,
                        status: $status,
                        english: $english,
                        russian: $russian,
                    },)+
                }
            }
        }
    };
}

struct Row {
    name: &'static str,
    status: u16,
    english: &'static str,
    russian: &'static str,
}

causes! {
    Unallocated = 1, "UNALLOCATED", 404, "Unallocated number", "Номер не существует";
    NoRouteTransitNet = 2, "NO_ROUTE_TRANSIT_NET", 404, "No route to the transit network", "Нет пути к транзитной сети";
    NoRouteDestination = 3, "NO_ROUTE_DESTINATION", 404, "No route to the destination", "Нет пути к абоненту";
    MisdialledTrunkPrefix = 5, "MISDIALLED_TRUNK_PREFIX", 404, "Misdialled trunk prefix", "Неверный код выхода на линию";
    ChannelUnacceptable = 6, "CHANNEL_UNACCEPTABLE", 500, "Channel unacceptable", "Канал неприемлем";
    CallAwardedDelivered = 7, "CALL_AWARDED_DELIVERED", 500, "Call awarded, delivered in an established channel", "Вызов передан в установленный канал";
    Preempted = 8, "PRE_EMPTED", 480, "Pre-empted by a more urgent call", "Вытеснен более важным вызовом";
    NumberPortedNotHere = 14, "NUMBER_PORTED_NOT_HERE", 404, "Number ported away from here", "Номер перенесён к другому оператору";
    NormalClearing = 16, "NORMAL_CLEARING", 603, "Normal call clearing", "Обычное завершение разговора";
    UserBusy = 17, "USER_BUSY", 486, "User busy", "Абонент занят";
    NoUserResponse = 18, "NO_USER_RESPONSE", 408, "No response from the user's device", "Телефон абонента не отвечает";
    NoAnswer = 19, "NO_ANSWER", 480, "No answer from the user", "Абонент не подошёл к телефону";
    SubscriberAbsent = 20, "SUBSCRIBER_ABSENT", 480, "Subscriber absent, not registered", "Абонент не в сети";
    CallRejected = 21, "CALL_REJECTED", 403, "Call rejected", "Вызов отклонён";
    NumberChanged = 22, "NUMBER_CHANGED", 410, "Number changed", "Номер изменился";
    RedirectedToNewDestination = 23, "REDIRECTED_TO_NEW_DESTINATION", 410, "Redirected to a new destination", "Вызов перенаправлен";
    AnsweredElsewhere = 26, "ANSWERED_ELSEWHERE", 487, "Answered elsewhere", "Ответили на другом телефоне";
    DestinationOutOfOrder = 27, "DESTINATION_OUT_OF_ORDER", 502, "Destination out of order", "Линия абонента неисправна";
    InvalidNumberFormat = 28, "INVALID_NUMBER_FORMAT", 484, "Invalid number format, address incomplete", "Номер набран не полностью";
    FacilityRejected = 29, "FACILITY_REJECTED", 501, "Facility rejected", "В услуге отказано";
    ResponseToStatusEnquiry = 30, "RESPONSE_TO_STATUS_ENQUIRY", 500, "Response to a status enquiry", "Ответ на запрос состояния";
    NormalUnspecified = 31, "NORMAL_UNSPECIFIED", 480, "Normal, unspecified", "Завершено без указания причины";
    NormalCircuitCongestion = 34, "NORMAL_CIRCUIT_CONGESTION", 503, "No circuit available", "Нет свободной линии";
    NetworkOutOfOrder = 38, "NETWORK_OUT_OF_ORDER", 500, "Network out of order", "Сеть неисправна";
    TemporaryFailure = 41, "NORMAL_TEMPORARY_FAILURE", 503, "Temporary failure", "Временный сбой";
    SwitchCongestion = 42, "SWITCH_CONGESTION", 503, "Switching equipment congestion", "Станция перегружена";
    AccessInfoDiscarded = 43, "ACCESS_INFO_DISCARDED", 500, "Access information discarded", "Сведения о доступе отброшены";
    RequestedChannelUnavailable = 44, "REQUESTED_CHAN_UNAVAIL", 503, "Requested channel not available", "Запрошенный канал недоступен";
    ResourceUnavailable = 47, "RESOURCE_UNAVAILABLE", 503, "Resource unavailable", "Нет свободных ресурсов";
    FacilityNotSubscribed = 50, "FACILITY_NOT_SUBSCRIBED", 403, "Facility not subscribed", "Услуга не подключена";
    OutgoingCallBarred = 52, "OUTGOING_CALL_BARRED", 403, "Outgoing calls barred", "Исходящие вызовы запрещены";
    IncomingCallBarred = 54, "INCOMING_CALL_BARRED", 403, "Incoming calls barred", "Входящие вызовы запрещены";
    BearerNotAuthorized = 57, "BEARERCAPABILITY_NOTAUTH", 403, "Bearer capability not authorized", "Этот вид связи не разрешён";
    BearerNotAvailable = 58, "BEARERCAPABILITY_NOTAVAIL", 488, "No common codec or media", "Нет общего кодека или вида связи";
    ServiceUnavailable = 63, "SERVICE_NOT_AVAILABLE", 405, "Service or option not available", "Услуга недоступна";
    BearerNotImplemented = 65, "BEARERCAPABILITY_NOTIMPL", 488, "Bearer capability not implemented", "Такой вид связи не поддерживается";
    ChannelNotImplemented = 66, "CHAN_NOT_IMPLEMENTED", 503, "Channel type not implemented", "Такой тип канала не поддерживается";
    FacilityNotImplemented = 69, "FACILITY_NOT_IMPLEMENTED", 501, "Facility not implemented", "Такая услуга не поддерживается";
    NotImplemented = 79, "SERVICE_NOT_IMPLEMENTED", 415, "Service or option not implemented", "Функция не поддерживается";
    InvalidCallReference = 81, "INVALID_CALL_REFERENCE", 481, "Invalid call reference", "Такого вызова нет";
    IncompatibleDestination = 88, "INCOMPATIBLE_DESTINATION", 606, "Incompatible destination", "Несовместимое устройство абонента";
    InvalidMessage = 95, "INVALID_MSG_UNSPECIFIED", 400, "Invalid message", "Неверное сообщение";
    MandatoryElementMissing = 96, "MANDATORY_IE_MISSING", 400, "Mandatory information missing", "Нет обязательных сведений";
    MessageTypeNonexistent = 97, "MESSAGE_TYPE_NONEXIST", 400, "Unknown message type", "Неизвестный вид сообщения";
    WrongMessage = 98, "WRONG_MESSAGE", 400, "Message does not fit the state of the call", "Сообщение не к месту";
    ElementNonexistent = 99, "IE_NONEXIST", 400, "Unknown information element", "Неизвестные сведения";
    InvalidElementContents = 100, "INVALID_IE_CONTENTS", 400, "Invalid information contents", "Неверные сведения";
    WrongCallState = 101, "WRONG_CALL_STATE", 500, "Wrong state of the call", "Вызов не в том состоянии";
    RecoveryOnTimerExpire = 102, "RECOVERY_ON_TIMER_EXPIRE", 504, "A timer ran out", "Истекло время ожидания";
    MandatoryElementLengthError = 103, "MANDATORY_IE_LENGTH_ERROR", 400, "Mandatory information of wrong length", "Обязательные сведения неверной длины";
    ProtocolError = 111, "PROTOCOL_ERROR", 500, "Protocol error", "Ошибка протокола";
    Interworking = 127, "INTERWORKING", 500, "Interworking, unspecified", "Сбой на стыке сетей";
}

impl Cause {
    /// The Q.850 value, as in `HANGUPCAUSE` and the Reason header.
    pub fn q850(self) -> u8 {
        self as u8
    }

    /// The cause with this Q.850 value. Q.850 §2.2.5: a value that is not known is treated as the
    /// unspecified one of its class; 0, which Asterisk uses for "not set", is normal, unspecified.
    pub fn from_q850(value: u8) -> Self {
        let known = Self::ALL.iter().find(|cause| cause.q850() == value);
        known.copied().unwrap_or(match value {
            0..=31 => Self::NormalUnspecified,
            32..=47 => Self::ResourceUnavailable,
            48..=63 => Self::ServiceUnavailable,
            64..=79 => Self::NotImplemented,
            80..=95 => Self::InvalidMessage,
            96..=111 => Self::ProtocolError,
            112.. => Self::Interworking,
        })
    }

    /// The name in Asterisk's `Hangup(name)`, without the prefix `AST_CAUSE_`.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// The final status that refuses a call for this cause (RFC 3398 §8.2.6.1; where Asterisk differs,
    /// Asterisk's). [`Cause::NormalClearing`] before an answer is 603: the exchange declined by itself.
    pub fn status(self) -> u16 {
        self.row().status
    }

    /// The sentence for logs, the Reason header and the English page.
    pub fn english(self) -> &'static str {
        self.row().english
    }

    /// The same in Russian.
    pub fn russian(self) -> &'static str {
        self.row().russian
    }

    /// The cause a failed SIP request reports (RFC 3398 §7.2.4.1 and RFC 3261 §21.4–21.6).
    pub fn from_status(status: u16) -> Self {
        match status {
            401..=403 | 407 | 433 | 603 | 607 | 608 => Self::CallRejected,
            404 | 485 | 604 => Self::Unallocated,
            405 => Self::ServiceUnavailable,
            // RFC 3398 has 102 here; 18 says what happened and is what Asterisk reports.
            408 => Self::NoUserResponse,
            410 => Self::NumberChanged,
            400 | 411..=414 | 416 | 420 | 421 | 422 | 423 | 439 | 493 | 494 => Self::InvalidMessage,
            406 | 415 => Self::NotImplemented,
            480 => Self::NoAnswer,
            481 => Self::InvalidCallReference,
            482 | 483 => Self::NoRouteDestination,
            484 => Self::InvalidNumberFormat,
            486 | 600 => Self::UserBusy,
            487 => Self::AnsweredElsewhere,
            488 => Self::BearerNotAvailable,
            500 => Self::NetworkOutOfOrder,
            501 => Self::FacilityRejected,
            502 => Self::DestinationOutOfOrder,
            503 => Self::NormalCircuitCongestion,
            504 => Self::RecoveryOnTimerExpire,
            505 | 513 | 555 => Self::Interworking,
            580 => Self::ResourceUnavailable,
            606 => Self::IncompatibleDestination,
            // RFC 3261 §8.1.3.2: an unknown final response is treated as the x00 of its class.
            // For 4xx that is what RFC 3398 maps 400 to.
            other => match other / 100 {
                4 => Self::TemporaryFailure,
                5 => Self::NetworkOutOfOrder,
                6 => Self::UserBusy,
                _ => Self::NormalClearing,
            },
        }
    }

    /// The value of a Reason header (RFC 3326 §2): `Q.850;cause=16;text="Normal call clearing"`.
    pub fn reason(self) -> String {
        format!("Q.850;cause={};text=\"{}\"", self.q850(), self.english())
    }

    /// The cause in the value of a Reason header, when a Q.850 or a SIP reason is among its values.
    pub fn from_reason(value: &str) -> Option<Self> {
        value.split(',').find_map(|reason| {
            let mut parts = reason.split(';').map(str::trim);
            let protocol = parts.next()?;
            let code = parts.find_map(|part| {
                let (name, code) = part.split_once('=')?;
                name.trim()
                    .eq_ignore_ascii_case("cause")
                    .then(|| code.trim())
            })?;
            if protocol.eq_ignore_ascii_case("Q.850") {
                // Asterisk sends cause=0 for "not set"; that says nothing.
                code.parse()
                    .ok()
                    .filter(|value| *value != 0)
                    .map(Self::from_q850)
            } else if protocol.eq_ignore_ascii_case("SIP") {
                // A BYE or CANCEL may say SIP;cause=200 ("Call completed elsewhere", RFC 3326 §3.1).
                match code.parse().ok()? {
                    200 => Some(Self::AnsweredElsewhere),
                    status => Some(Self::from_status(status)),
                }
            } else {
                None
            }
        })
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.english(), self.q850())
    }
}

/// Not a number from 1 to 127 and not the name of a hang-up cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such hang-up cause; use a Q.850 number such as 17 or a name such as USER_BUSY")]
pub struct UnknownCause;

impl FromStr for Cause {
    type Err = UnknownCause;

    /// Reads what `Hangup()` takes: a number, or a name with or without `AST_CAUSE_`, in any case.
    fn from_str(text: &str) -> Result<Self, UnknownCause> {
        let text = text.trim();
        if let Ok(value) = text.parse::<u8>() {
            return match value {
                1..=127 => Ok(Self::from_q850(value)),
                _ => Err(UnknownCause),
            };
        }
        let upper = text.to_ascii_uppercase();
        let name = upper.strip_prefix("AST_CAUSE_").unwrap_or(&upper);
        let name = match name {
            "BUSY" => "USER_BUSY",
            "CONGESTION" => "NORMAL_CIRCUIT_CONGESTION",
            "NORMAL" => "NORMAL_CLEARING",
            "NOANSWER" => "NO_ANSWER",
            other => other,
        };
        let known = Self::ALL.iter().find(|cause| cause.name() == name);
        known.copied().ok_or(UnknownCause)
    }
}

impl Serialize for Cause {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut row = serializer.serialize_struct("Cause", 4)?;
        row.serialize_field("q850", &self.q850())?;
        row.serialize_field("name", self.name())?;
        row.serialize_field("english", self.english())?;
        row.serialize_field("russian", self.russian())?;
        row.end()
    }
}

#[cfg(test)]
mod tests {
    use super::{Cause, UnknownCause};

    #[test]
    fn every_cause_survives_its_number_and_its_name() {
        for &cause in Cause::ALL {
            assert_eq!(Cause::from_q850(cause.q850()), cause);
            assert_eq!(cause.name().parse(), Ok(cause));
            assert_eq!(
                format!("ast_cause_{}", cause.name().to_lowercase()).parse(),
                Ok(cause)
            );
            assert!(!cause.english().is_empty() && !cause.russian().is_empty());
            assert!(
                (400..700).contains(&cause.status()),
                "{cause:?} must refuse a call"
            );
        }
    }

    /// A status made from a cause and read again by another exchange yields the same status: a chain of
    /// exchanges does not change what the caller is told. 603 alone is not on the way back: it is what
    /// we say when the dial plan hangs up without an answer, and others read it as "rejected".
    #[test]
    fn status_is_stable_along_a_chain_of_exchanges() {
        for &cause in Cause::ALL {
            if cause != Cause::NormalClearing {
                assert_eq!(
                    Cause::from_status(cause.status()).status(),
                    cause.status(),
                    "{cause:?}"
                );
            }
        }
        assert_eq!(Cause::from_status(603), Cause::CallRejected);
    }

    #[test]
    fn every_final_failure_status_has_a_cause() {
        for status in 400..700 {
            let cause = Cause::from_status(status);
            assert_ne!(cause, Cause::NormalClearing, "{status} is a failure");
        }
        assert_eq!(Cause::from_status(486), Cause::UserBusy);
        assert_eq!(Cause::from_status(599), Cause::from_status(500));
        assert_eq!(Cause::from_status(699), Cause::from_status(600));
    }

    #[test]
    fn unknown_q850_values_fall_to_the_unspecified_one_of_their_class() {
        assert_eq!(Cause::from_q850(0), Cause::NormalUnspecified);
        assert_eq!(Cause::from_q850(46), Cause::ResourceUnavailable);
        assert_eq!(Cause::from_q850(126), Cause::Interworking);
        assert_eq!(Cause::from_q850(255), Cause::Interworking);
    }

    #[test]
    fn reason_header_is_written_and_read() {
        assert_eq!(
            Cause::NormalClearing.reason(),
            "Q.850;cause=16;text=\"Normal call clearing\""
        );
        for &cause in Cause::ALL {
            assert_eq!(Cause::from_reason(&cause.reason()), Some(cause));
        }
        assert_eq!(
            Cause::from_reason("SIP;cause=486;text=\"Busy, here\""),
            Some(Cause::UserBusy)
        );
        assert_eq!(
            Cause::from_reason("X.int;x=1, SIP ;cause=200"),
            Some(Cause::AnsweredElsewhere)
        );
        assert_eq!(Cause::from_reason("Q.850;cause=0"), None);
        assert_eq!(Cause::from_reason("Q.850;cause=999"), None);
        assert_eq!(Cause::from_reason(""), None);
    }

    #[test]
    fn hangup_argument_is_a_number_or_a_name() {
        assert_eq!(" 17 ".parse(), Ok(Cause::UserBusy));
        assert_eq!("busy".parse(), Ok(Cause::UserBusy));
        assert_eq!("0".parse::<Cause>(), Err(UnknownCause));
        assert_eq!("nosuch".parse::<Cause>(), Err(UnknownCause));
    }
}
