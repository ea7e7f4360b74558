//! Calls the exchange makes by itself: it calls somebody, and who answers gets an application or goes
//! through the dial plan. The console's `channel originate` and everything like it.

use std::time::Duration;

use config::CallerId;
use dialplan::Position;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::application::Application;
use crate::call_number::within;
use crate::cause::Cause;
use crate::channel::Channel;
use crate::dial::{Ask, Dialling};
use crate::party::Redirecting;
use crate::pbx::Work;
use crate::switch::Switch;
use crate::technology::{Target, Unreachable};
use crate::variables::{SetError, Variables};

/// How long Asterisk's console lets the far end ring.
pub const ORIGINATE_TIMEOUT: Duration = Duration::from_secs(30);

/// A call to be made.
#[derive(Clone, Debug)]
pub struct Originate {
    /// Whom to call: `PJSIP/alice`.
    pub destination: String,
    /// What happens to who answers.
    pub purpose: Purpose,
    /// How long it may ring.
    pub timeout: Duration,
    /// Who is shown to call; empty if nobody in particular.
    pub caller: CallerId,
    /// Variables set on the channel.
    pub variables: Vec<(String, String)>,
    /// A subroutine of the dial plan that is run on the channel before it is called, and its arguments.
    pub before: Option<(Position, Vec<String>)>,
}

/// What happens to who answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// An application runs, then the call is hung up.
    Application {
        /// Its name, compared without case.
        name: String,
        /// Its arguments.
        arguments: String,
    },
    /// The call goes through the dial plan from here.
    Extension(Position),
}

/// Why a call was not even tried.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotOriginated {
    /// Nobody to call.
    #[error("{0}")]
    Unreachable(#[from] Unreachable),
    /// No such application.
    #[error("no application is called '{0}'")]
    NoApplication(String),
    /// No such extension.
    #[error("there is no extension '{exten}' in context '{context}'")]
    NoExtension {
        /// The extension.
        exten: String,
        /// The context.
        context: String,
    },
    /// The table that may have the extension does not answer.
    #[error("the table of extensions cannot be asked: {0}")]
    NoAnswer(String),
    /// A variable cannot be set.
    #[error("the variable '{0}' cannot be set: {1}")]
    Variable(String, SetError),
    /// The exchange stops.
    #[error("the exchange is stopping and makes no calls any more")]
    Stopping,
}

/// How the call began: the name of the channel that answered, or why nobody did.
pub type Begun = oneshot::Receiver<Result<String, Cause>>;

impl Switch {
    /// Calls somebody. Returns as soon as it is known whom; `Begun` tells how that went.
    pub async fn originate(&self, originate: Originate) -> Result<Begun, NotOriginated> {
        let work = self.work_of(&originate).await?;
        if self.asked().refuses_calls() {
            return Err(NotOriginated::Stopping);
        }
        let mut scratch = Variables::default();
        for (name, value) in &originate.variables {
            let set = scratch.set(name, value);
            set.map_err(|error| NotOriginated::Variable(name.clone(), error))?;
        }
        let targets = self.find(&originate.destination).await?;
        let (told, begun) = oneshot::channel();
        let switch = self.clone();
        let task = async move {
            // Nobody may be waiting to be told.
            match switch.dial(&originate, targets).await {
                Ok(mut channel) => {
                    channel.record_answer().await;
                    let _ = told.send(Ok(channel.name().to_owned()));
                    switch.run(channel, work).await;
                }
                Err(cause) => {
                    let destination = originate.destination;
                    tracing::info!(
                        destination,
                        cause = cause.q850(),
                        "nobody answered: {cause}"
                    );
                    let _ = told.send(Err(cause));
                }
            }
        };
        // A call beside the one that makes it, if one does.
        match self.spawn(within(Some(self.next_call()), task)) {
            true => Ok(begun),
            false => Err(NotOriginated::Stopping),
        }
    }

    async fn dial(&self, originate: &Originate, targets: Vec<Target>) -> Result<Channel, Cause> {
        let (at, application) = match &originate.purpose {
            Purpose::Application { name, arguments } => (None, format!("{name}({arguments})")),
            Purpose::Extension(at) => (Some(at.clone()), String::new()),
        };
        let ask = Ask {
            caller: originate.caller.clone(),
            own: None,
            redirecting: Redirecting::default(),
            variables: originate.variables.clone(),
            at,
            application,
            recorded: true,
            dialled: None,
            group: None,
            linkedid: None,
            language: None,
            far: None,
            before: originate.before.clone(),
        };
        let end = Instant::now() + originate.timeout;
        let mut dialling = Dialling::default();
        dialling.call(self, targets, &ask, None).await;
        dialling.first(end).await
    }

    async fn work_of(&self, originate: &Originate) -> Result<Work, NotOriginated> {
        match &originate.purpose {
            Purpose::Application { name, arguments } => {
                let application: &'static Application = self
                    .application(name)
                    .ok_or_else(|| NotOriginated::NoApplication(name.clone()))?;
                Ok(Work::Application(application, arguments.clone()))
            }
            Purpose::Extension(Position { context, exten, .. }) => {
                let number = Some(originate.caller.number.as_str());
                let found = self.has_extension(context, exten, number).await;
                match found.map_err(|error| NotOriginated::NoAnswer(error.to_string()))? {
                    true => Ok(Work::DialPlan),
                    false => Err(NotOriginated::NoExtension {
                        exten: exten.clone(),
                        context: context.clone(),
                    }),
                }
            }
        }
    }
}
