//! The conversation with the server: account, order, proofs, certificate.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use instant_acme::{
    Account, AccountCredentials, AuthorizationStatus, ChallengeType, Error, Identifier, NewAccount,
    NewOrder, Order, OrderStatus, Problem, RetryPolicy,
};
use rcgen::{CertificateParams, KeyPair};

use super::state::State;
use super::{Acme, Challenges, Offered, Proof};

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// The server cannot be asked.
    #[error("{directory} cannot be asked: {reason}")]
    Unreachable { directory: String, reason: String },
    /// The server says no.
    #[error("the server refuses: {0}")]
    Refused(String),
    /// The server could not convince itself that a name is ours.
    #[error("{name} could not be proven by {proof}: {reason}")]
    NotProven {
        name: String,
        proof: &'static str,
        reason: String,
    },
    /// The server knows other kinds of proof for this name.
    #[error("the server does not offer {0} for {1}")]
    NoSuchProof(&'static str, String),
    /// The server takes too long.
    #[error("the server did not finish the order in time")]
    Late,
    /// What came is no use.
    #[error("the certificate that came is not usable: {0}")]
    Unusable(String),
    /// The disk.
    #[error("cannot write {}: {source}", file.display())]
    NotKept {
        file: PathBuf,
        source: std::io::Error,
    },
}

impl Proof {
    fn name(self) -> &'static str {
        match self {
            Self::Http => "http-01 (port 80 of that name must lead to this server)",
            Self::TlsAlpn => "tls-alpn-01 (port 443 of that name must lead to this server)",
        }
    }

    fn kind(self) -> ChallengeType {
        match self {
            Self::Http => ChallengeType::Http01,
            Self::TlsAlpn => ChallengeType::TlsAlpn01,
        }
    }
}

/// The account of before, else a new one.
pub(super) async fn account(acme: &Acme, state: &State) -> Result<Account, Fault> {
    let fault = |error: Error| acme.fault(&error);
    let builder = || {
        match &acme.authority {
            Some(file) => Account::builder_with_root(file),
            None => Account::builder(),
        }
        .map_err(fault)
    };
    let kept = state.account();
    let kept = kept.and_then(|text| serde_json::from_str::<AccountCredentials>(&text).ok());
    if let Some(credentials) = kept {
        return builder()?
            .from_credentials(credentials)
            .await
            .map_err(fault);
    }
    let contact = acme.email.as_ref().map(|email| format!("mailto:{email}"));
    let contact: Vec<&str> = contact.iter().map(String::as_str).collect();
    let new = NewAccount {
        contact: &contact,
        terms_of_service_agreed: true,
        only_return_existing: false,
    };
    let directory = acme.directory.clone();
    let (account, credentials) = builder()?
        .create(&new, directory, None)
        .await
        .map_err(fault)?;
    let text =
        serde_json::to_string(&credentials).map_err(|error| Fault::Unusable(error.to_string()))?;
    state.keep_account(&text)?;
    Ok(account)
}

/// A chain and its key, in PEM.
pub(super) async fn certificate(
    acme: &Acme,
    account: &Account,
    challenges: &Challenges,
) -> Result<(String, String), Fault> {
    let fault = |error: Error| acme.fault(&error);
    let identifiers: Vec<Identifier> = acme.names.iter().map(|name| identifier(name)).collect();
    let mut order = account
        .new_order(&NewOrder::new(&identifiers))
        .await
        .map_err(fault)?;
    let offered = offer(acme, &mut order, challenges).await?;
    let patience = RetryPolicy::new()
        .initial_delay(POLL_FIRST)
        .backoff(1.5)
        .timeout(PATIENCE);
    let ready = order.poll_ready(&patience).await;
    drop(offered);
    match ready {
        Ok(OrderStatus::Ready | OrderStatus::Valid) => {}
        Ok(_) | Err(Error::Api(_)) => {
            return Err(not_proven(acme, account, &order, ready).await);
        }
        Err(error) => return Err(fault(error)),
    }
    let made = |error: rcgen::Error| Fault::Unusable(error.to_string());
    let key = KeyPair::generate().map_err(made)?;
    let mut parameters = CertificateParams::new(acme.names.clone()).map_err(made)?;
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    let request = parameters.serialize_request(&key).map_err(made)?;
    order.finalize_csr(request.der()).await.map_err(fault)?;
    let chain = order.poll_certificate(&patience).await.map_err(fault)?;
    Ok((chain, key.serialize_pem()))
}

fn identifier(name: &str) -> Identifier {
    match name.parse::<IpAddr>() {
        Ok(address) => Identifier::Ip(address),
        Err(_) => Identifier::Dns(name.to_owned()),
    }
}

/// Prepares the answer for every name that is not proven yet, and says so.
async fn offer(
    acme: &Acme,
    order: &mut Order,
    challenges: &Challenges,
) -> Result<Vec<Offered>, Fault> {
    let fault = |error: Error| acme.fault(&error);
    let mut offered = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization.map_err(fault)?;
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let name = authorization.identifier().to_string();
        let challenge = authorization.challenge(acme.proof.kind());
        let mut challenge =
            challenge.ok_or_else(|| Fault::NoSuchProof(acme.proof.name(), name.clone()))?;
        let answer = challenge.key_authorization();
        offered.push(match acme.proof {
            Proof::Http => challenges.offer_token(&challenge.token, answer.as_str()),
            Proof::TlsAlpn => challenges
                .offer_certificate(&name, answer.digest().as_ref())
                .map_err(|error| Fault::Unusable(error.to_string()))?,
        });
        challenge.set_ready().await.map_err(fault)?;
    }
    Ok(offered)
}

/// What the server found at the first name that it does not believe.
async fn not_proven(
    acme: &Acme,
    account: &Account,
    order: &Order,
    ready: Result<OrderStatus, Error>,
) -> Fault {
    let otherwise = match ready {
        Err(error) => acme.fault(&error),
        Ok(_) => Fault::Refused("the order is invalid".to_owned()),
    };
    // What the order knows of its authorizations is from before.
    let Ok(mut order) = account.order(order.url().to_owned()).await else {
        return otherwise;
    };
    let mut authorizations = order.authorizations();
    while let Some(Ok(authorization)) = authorizations.next().await {
        let failed = authorization.challenges.iter();
        let failed = failed
            .filter_map(|challenge| challenge.error.as_ref())
            .next();
        if let Some(problem) = failed {
            return Fault::NotProven {
                name: authorization.identifier().to_string(),
                proof: acme.proof.name(),
                reason: words(problem),
            };
        }
    }
    otherwise
}

impl Acme {
    fn fault(&self, error: &Error) -> Fault {
        match error {
            Error::Api(problem) => Fault::Refused(words(problem)),
            Error::Timeout(_) => Fault::Late,
            error => Fault::Unreachable {
                directory: self.directory.clone(),
                reason: chain(error),
            },
        }
    }
}

/// The server's own words, and those about each name.
fn words(problem: &Problem) -> String {
    let detail = problem.detail.clone().or_else(|| problem.r#type.clone());
    let mut text = detail.unwrap_or_else(|| "it does not say why".to_owned());
    for part in &problem.subproblems {
        if let Some(detail) = &part.detail {
            text.push_str("; ");
            text.push_str(detail);
        }
    }
    text
}

/// An error and what it comes from: "connection refused" is at the end of it.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}

const POLL_FIRST: Duration = Duration::from_millis(250);
const PATIENCE: Duration = Duration::from_secs(180);
