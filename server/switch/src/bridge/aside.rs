//! One party is led aside: it hears and dials something while the other one waits.

use std::future::Future;

use super::{Goes, Parted, Party, Talk, parted};
use crate::channel::Channel;
use crate::dial::until;
use crate::event::AppResult;

/// What the other party hears while one is led aside.
#[derive(Clone, Copy, Debug)]
pub(super) enum Meanwhile<'a> {
    Silence,
    /// Of this class, or of its own.
    Music(Option<&'a str>),
}

/// What one party does aside.
pub(super) type Aside<'a, T> = std::pin::Pin<Box<dyn Future<Output = AppResult<T>> + Send + 'a>>;

impl Talk<'_> {
    /// Parts the two and lets one of them do something while the other one waits. The end of either ends it, and
    /// that of the time they may talk.
    pub(super) async fn aside<T: Send>(
        &mut self,
        side: Party,
        meanwhile: Meanwhile<'_>,
        act: impl FnOnce(&mut Channel) -> Aside<'_, T>,
    ) -> Goes<T> {
        self.joint = None;
        let end = self.clock.end();
        let (own, other) = self.pair(side);
        own.end_passing(other);
        other.end_passing(own);
        own.forget_digits();
        if let Meanwhile::Music(class) = meanwhile {
            other.start_music(class).await;
        }
        tokio::select! {
            biased;
            done = other.during(act(own)) => match done {
                Ok(Ok(result)) => Ok(result),
                Ok(Err(interrupt)) => Err(parted(side, true, interrupt)),
                Err(interrupt) => Err(parted(side, false, interrupt)),
            },
            () = until(end) => Err(Parted::Limit),
        }
    }

    /// Connects the two again; each gets the streams the other has got meanwhile.
    pub(super) async fn rejoin(&mut self) -> Goes {
        self.connect()?;
        self.caller.forget_digits();
        self.callee.forget_digits();
        self.hold_codes();
        self.match_streams().await
    }

    /// Asks each of the two for the streams that the other has and it lacks.
    pub(super) async fn match_streams(&mut self) -> Goes {
        for side in Party::BOTH {
            let (own, other) = self.pair(side);
            let topology = own.topology().clone();
            let matched = other.match_streams(&topology).await;
            matched.map_err(|interrupt| parted(side, false, interrupt))?;
        }
        Ok(())
    }
}
