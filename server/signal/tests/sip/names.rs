//! A DNS server on loopback that knows what a test gives it, and nothing else.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hickory_resolver::proto::op::{Message, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, NAPTR, SOA, SRV};
use hickory_resolver::proto::rr::{Name, RData, Record};
use tokio::net::UdpSocket;
use tokio::task::AbortHandle;

/// See the module.
pub(crate) struct NameServer {
    pub(crate) address: SocketAddr,
    questions: Arc<AtomicUsize>,
    task: AbortHandle,
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) type Zone = Vec<(String, RData)>;

fn name(text: &str) -> Name {
    Name::from_ascii(format!("{text}.")).unwrap()
}

pub(crate) fn a(host: &str, address: &str) -> (String, RData) {
    (host.to_owned(), RData::A(A(address.parse().unwrap())))
}

pub(crate) fn srv(service: &str, priority: u16, port: u16, target: &str) -> (String, RData) {
    let data = RData::SRV(SRV::new(priority, 0, port, name(target)));
    (service.to_owned(), data)
}

pub(crate) fn naptr(host: &str, order: u16, service: &str, target: &str) -> (String, RData) {
    let (flags, service) = (Box::from(*b"s"), Box::from(service.as_bytes()));
    let data = NAPTR::new(order, 50, flags, service, Box::default(), name(target));
    (host.to_owned(), RData::NAPTR(data))
}

impl NameServer {
    pub(crate) async fn start(zone: Zone) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let mut known: BTreeMap<Name, Vec<RData>> = BTreeMap::new();
        for (host, data) in zone {
            known.entry(name(&host)).or_default().push(data);
        }
        let questions = Arc::new(AtomicUsize::new(0));
        let counter = questions.clone();
        let task = tokio::spawn(async move {
            let mut buffer = vec![0; 4_096];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                let question = Message::from_vec(&buffer[..length]).unwrap();
                counter.fetch_add(1, Ordering::Relaxed);
                let answer = answer(&question, &known).to_vec().unwrap();
                socket.send_to(&answer, from).await.unwrap();
            }
        });
        Self {
            address,
            questions,
            task: task.abort_handle(),
        }
    }

    /// How many questions came so far.
    pub(crate) fn questions(&self) -> usize {
        self.questions.load(Ordering::Relaxed)
    }
}

fn answer(question: &Message, known: &BTreeMap<Name, Vec<RData>>) -> Message {
    let mut answer = Message::response(question.metadata.id, OpCode::Query);
    answer.metadata.recursion_available = true;
    for query in &question.queries {
        answer.add_query(query.clone());
        let data = known.get(&query.name().to_lowercase());
        if data.is_none() {
            answer.metadata.response_code = ResponseCode::NXDomain;
        }
        for data in data.into_iter().flatten() {
            if data.record_type() == query.query_type() {
                answer.add_answer(Record::from_rdata(query.name().clone(), 60, data.clone()));
            }
        }
    }
    if answer.answers.is_empty() {
        // RFC 2308 §5: without it, that there is nothing is not remembered.
        let soa = SOA::new(name("test"), name("test"), 1, 60, 60, 60, 60);
        answer.add_authority(Record::from_rdata(name("test"), 60, RData::SOA(soa)));
    }
    answer
}
