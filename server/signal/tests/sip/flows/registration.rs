//! RFC 3665 §2: registration.

use sip::Contacts;

use super::{Ladder, Party, exchange, stage};
use crate::support::{contact, register, signed};

/// RFC 3665 §2.1: Successful New Registration.
#[tokio::test]
async fn rfc_3665_2_1_successful_new_registration() {
    let exchange = exchange().await;
    let mut ladder = Ladder::of(&["bob"]);
    let mut bob = Party::new(&exchange, "bob").await;
    let text = register("bob", &contact("bob1", "1"));
    bob.sends(&mut ladder, &text).await;
    let challenged = bob.response(&mut ladder, 401).await;
    bob.sends(&mut ladder, &signed(&text, &challenged, "bobby", "builder"))
        .await;
    bob.response(&mut ladder, 200).await;
    ladder.is("
        bob                exchange
        |--- REGISTER ---->|
        |<- 401 REGISTER --|
        |--- REGISTER ---->|
        |<- 200 REGISTER --|");
}

/// RFC 3665 §2.5: Unsuccessful Registration.
#[tokio::test]
async fn rfc_3665_2_5_unsuccessful_registration() {
    let exchange = exchange().await;
    let mut ladder = Ladder::of(&["bob"]);
    let mut bob = Party::new(&exchange, "bob").await;
    let text = register("bob", &contact("bob1", "1"));
    bob.sends(&mut ladder, &text).await;
    let challenged = bob.response(&mut ladder, 401).await;
    bob.sends(&mut ladder, &signed(&text, &challenged, "bobby", "wrong"))
        .await;
    bob.response(&mut ladder, 401).await;
    ladder.is("
        bob                exchange
        |--- REGISTER ---->|
        |<- 401 REGISTER --|
        |--- REGISTER ---->|
        |<- 401 REGISTER --|");
}

/// RFC 3665 §2.4: Cancellation of Registration.
#[tokio::test]
async fn rfc_3665_2_4_cancellation_of_registration() {
    let (exchange, mut ladder, [mut bob]) = stage(["bob"]).await;
    let text = register("bob", "*").replacen("Supported:", "Expires: 0\r\nSupported:", 1);
    bob.sends(&mut ladder, &text).await;
    let challenged = bob.response(&mut ladder, 401).await;
    let signed = signed(&text, &challenged, "bobby", "builder");
    bob.sends(&mut ladder, &signed).await;
    bob.response(&mut ladder, 200).await;
    assert_eq!(exchange.signal.counts().bindings, 0);
    ladder.is("
        bob                exchange
        |--- REGISTER ---->|
        |<- 401 REGISTER --|
        |--- REGISTER ---->|
        |<- 200 REGISTER --|");
}

/// The users of the addresses that the exchange says to have.
fn listed(ok: &sip::Response) -> Vec<String> {
    let Contacts::List(list) = ok.headers.contacts().unwrap() else {
        panic!("a star")
    };
    let users = list.iter().map(|one| one.address.uri.user().unwrap());
    let mut users: Vec<String> = users.map(|user| user.to_string()).collect();
    users.sort();
    users
}

/// RFC 3665 §2.2: Update of Contact List.
#[tokio::test]
async fn rfc_3665_2_2_update_of_contact_list() {
    let (_exchange, mut ladder, [mut alice]) = stage(["alice"]).await;
    let text = register("alice", &contact("alice2", "2"));
    alice.asks(&mut ladder, &text).await;
    let ok = alice.response(&mut ladder, 200).await;
    assert_eq!(listed(&ok), ["alice1", "alice2"]);
    ladder.is("
        alice              exchange
        |--- REGISTER ---->|
        |<- 401 REGISTER --|
        |--- REGISTER ---->|
        |<- 200 REGISTER --|");
}

/// RFC 3665 §2.3: Request for Current Contact List.
#[tokio::test]
async fn rfc_3665_2_3_request_for_current_contact_list() {
    let (exchange, mut ladder, [mut alice]) = stage(["alice"]).await;
    alice.asks(&mut ladder, &register("alice", "")).await;
    let ok = alice.response(&mut ladder, 200).await;
    assert_eq!(listed(&ok), ["alice1"]);
    assert_eq!(exchange.signal.counts().bindings, 1);
    ladder.is("
        alice              exchange
        |--- REGISTER ---->|
        |<- 401 REGISTER --|
        |--- REGISTER ---->|
        |<- 200 REGISTER --|");
}
