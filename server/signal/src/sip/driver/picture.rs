//! Key frames that are asked for by INFO.
//!
//! One request waits for its answer at a time, and who refuses one is not asked again.

use std::sync::Arc;
use std::time::Instant;

use ::sip::{Agent, ClientId, InviteId, Method, Response};
use switch::story::StoryEvent;

use crate::sip::driver::calls::Calls;
use crate::sip::picture;

/// How the far end of one call is asked.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Picture {
    /// It may be.
    #[default]
    Free,
    /// This request waits for its answer.
    Sent(ClientId),
    /// It does not take such requests.
    Refused,
}

impl Picture {
    /// The request that waits for its answer.
    pub(super) fn sent(self) -> Option<ClientId> {
        match self {
            Self::Sent(client) => Some(client),
            Self::Free | Self::Refused => None,
        }
    }
}

impl Calls {
    /// Asks the far end for a key frame, unless it has been asked already or refuses such requests.
    pub(crate) fn ask_keyframe(&mut self, agent: &mut Agent, now: Instant, id: InviteId) {
        let call = self.calls.get_mut(&id).filter(|call| !call.is_lost());
        let Some(call) = call.filter(|call| call.picture == Picture::Free) else {
            return;
        };
        let body = picture::fast_update();
        let client = agent.send(now, id, Method::Info, Vec::new(), Some(body));
        call.picture = Picture::Sent(client);
        self.pictures.insert(client, id);
        self.sent(id, &"INFO picture_fast_update");
    }

    /// The answer to such a request came, or never will. `false`: it is none.
    pub(crate) fn on_keyframe_answered(
        &mut self,
        client: ClientId,
        response: Option<&Arc<Response>>,
    ) -> bool {
        let Some(id) = self.pictures.remove(&client) else {
            return false;
        };
        let Some(call) = self.calls.get_mut(&id) else {
            return true;
        };
        // No answer may be the connection's fault; a server that fails may do better next time.
        let refused = response.filter(|response| (300..500).contains(&response.status.code()));
        call.picture = match refused {
            Some(response) => {
                let text = format!(
                    "the far end takes no requests for key frames by INFO ({})",
                    response.status
                );
                call.inbox.note(StoryEvent::Remark { text });
                Picture::Refused
            }
            None => Picture::Free,
        };
        true
    }
}
