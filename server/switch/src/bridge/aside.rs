//! One party is led aside: it hears and dials something while the other one waits.

use std::future::Future;

use super::{Goes, Party, Talk, parted};
use crate::channel::Channel;
use crate::event::AppResult;

/// What one party does aside.
pub(super) type Aside<'a, T> = std::pin::Pin<Box<dyn Future<Output = AppResult<T>> + Send + 'a>>;

impl Talk<'_> {
    /// Parts the two and lets one of them do something while the other one hears music. The end of either ends it.
    pub(super) async fn aside<T: Send>(
        &mut self,
        side: Party,
        music: Option<&str>,
        act: impl FnOnce(&mut Channel) -> Aside<'_, T>,
    ) -> Goes<T> {
        self.joint = None;
        let (own, other) = self.pair(side);
        own.forget_digits();
        other.start_music(music).await;
        match other.during(act(own)).await {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(interrupt)) => Err(parted(side, true, interrupt)),
            Err(interrupt) => Err(parted(side, false, interrupt)),
        }
    }

    /// Connects the two again; each gets the streams the other has got meanwhile.
    pub(super) async fn rejoin(&mut self) -> Goes {
        self.connect()?;
        self.caller.forget_digits();
        self.callee.forget_digits();
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
