//! The media planes: the one that new calls go through, and those of ranges that `rtp.conf` named
//! before, each until its last call is over.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use media::{AllocateError, Plane, PlaneConfig, StartError};
use switch::{LegRequest, MediaCounts, MediaLeg, MediaPlane};

/// All that carries media.
pub(crate) struct Planes {
    addresses: Vec<IpAddr>,
    /// Never empty; new calls go through the last one.
    planes: Mutex<Vec<Arc<Plane>>>,
}

impl Planes {
    /// Binds ports of the range on these addresses.
    pub(crate) fn start(
        addresses: Vec<IpAddr>,
        ports: &RangeInclusive<u16>,
    ) -> Result<Self, StartError> {
        let plane = start(&addresses, ports)?;
        Ok(Self {
            addresses,
            planes: Mutex::new(vec![Arc::new(plane)]),
        })
    }

    /// A plane on another range, for [`Self::replace`]; `None` where the ports in use lie in it. Dropped,
    /// it lets its ports go.
    pub(crate) fn prepare(&self, ports: &RangeInclusive<u16>) -> Result<Option<Plane>, StartError> {
        let current = self.locked().last().map(|plane| plane.counts().ports);
        let fits = |used: &Vec<u16>| used.iter().all(|port| ports.contains(port));
        match current.is_some_and(|used| fits(&used)) {
            true => Ok(None),
            false => start(&self.addresses, ports).map(Some),
        }
    }

    /// New calls go through `plane`; those that are up stay where they are.
    pub(crate) fn replace(&self, plane: Plane) {
        self.locked().push(Arc::new(plane));
    }

    /// Returns when every media thread has answered.
    pub(crate) async fn respond(&self) {
        for plane in self.in_use() {
            plane.respond().await;
        }
    }

    /// Says goodbye to all peers and ends the threads.
    pub(crate) async fn shutdown(&self) {
        for plane in self.in_use() {
            plane.shutdown().await;
        }
    }

    /// The current one, and those before it that still carry a call. The others are let go here, and
    /// their threads end with them.
    fn in_use(&self) -> Vec<Arc<Plane>> {
        let mut planes = self.locked();
        let current = planes.pop();
        planes.retain(|plane| plane.counts().legs > 0);
        planes.extend(current);
        planes.clone()
    }

    fn current(&self) -> Result<Arc<Plane>, AllocateError> {
        let current = self.locked().last().map(Arc::clone);
        current.ok_or(AllocateError::Shutdown)
    }

    fn locked(&self) -> MutexGuard<'_, Vec<Arc<Plane>>> {
        self.planes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MediaPlane for Planes {
    fn allocate(&self, request: LegRequest<'_>) -> Result<Box<dyn MediaLeg>, AllocateError> {
        MediaPlane::allocate(&*self.current()?, request)
    }

    fn seats(
        &self,
        count: usize,
        near: Option<&dyn MediaLeg>,
    ) -> Result<Vec<Box<dyn MediaLeg>>, AllocateError> {
        MediaPlane::seats(&*self.current()?, count, near)
    }

    fn counts(&self) -> MediaCounts {
        let planes = self.in_use();
        let mut sum = MediaCounts::default();
        for counts in planes.iter().map(|plane| MediaPlane::counts(&**plane)) {
            sum.legs += counts.legs;
            sum.streams += counts.streams;
            sum.addresses += counts.addresses;
            sum.shards += counts.shards;
            sum.port_pairs += counts.port_pairs;
            sum.ports.extend(counts.ports);
        }
        sum
    }
}

fn start(addresses: &[IpAddr], ports: &RangeInclusive<u16>) -> Result<Plane, StartError> {
    Plane::start(&PlaneConfig {
        addresses: addresses.to_vec(),
        ports: ports.clone(),
        shards: shards(),
        ..PlaneConfig::default()
    })
}

/// Half of the cores carry media; signalling, TLS and SQL have the rest.
fn shards() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(2))
}
