//! One version of the list cut into slices. A layer that did not change is the last edition's, slices and all.

use std::ops::Range;
use std::sync::Arc;

use super::index::{EntryText, Index, IndexLayer, PieceRef, SliceId, SliceRef, prefix_text};
use super::run::Run;
use super::{RevocationSet, filter};

/// The most entries of a layer that is not cut, and of one that is cut in sixteen: so that a piece has about a megabyte.
const WHOLE: usize = 1 << 16;
const IN_SIXTEEN: usize = 1 << 20;

/// Bytes that never change, by their name.
#[derive(Clone, Debug)]
pub struct Slice {
    id: SliceId,
    content: Content,
}

#[derive(Clone, Debug)]
enum Content {
    Filter(Vec<u8>),
    /// Entries of a layer, where they are: no second copy.
    Entries(Arc<Run>, Range<usize>),
}

impl Slice {
    fn new(content: Content) -> Slice {
        Slice { id: SliceId::of(content.bytes()), content }
    }

    /// Its name.
    pub fn id(&self) -> SliceId {
        self.id
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        self.content.bytes()
    }

    fn reference(&self) -> SliceRef {
        SliceRef { id: self.id, bytes: self.bytes().len() as u64 }
    }
}

impl Content {
    fn bytes(&self) -> &[u8] {
        match self {
            Content::Filter(bytes) => bytes,
            Content::Entries(run, range) => run.entries().get(range.clone()).unwrap_or_default().as_flattened(),
        }
    }
}

/// A layer with its slices.
#[derive(Debug)]
struct Cut {
    run: Arc<Run>,
    /// How many bits of the entry the full slices are cut by.
    bits: u32,
    filter: Arc<Slice>,
    full: Vec<Arc<Slice>>,
}

impl Cut {
    fn new(run: &Arc<Run>) -> Cut {
        let bits = match run.len() {
            len if len <= WHOLE => 0,
            len if len <= IN_SIXTEEN => 4,
            _ => 8,
        };
        let prefixes = (0..=u8::MAX).take(1 << bits);
        let piece = |prefix| Slice::new(Content::Entries(Arc::clone(run), run.with_prefix(prefix, bits)));
        let full = prefixes.map(|prefix| Arc::new(piece(prefix))).collect();
        let filter = Arc::new(Slice::new(Content::Filter(filter::build(run.entries()))));
        Cut { run: Arc::clone(run), bits, filter, full }
    }

    fn describe(&self, from: u64, to: u64) -> IndexLayer {
        let piece = |(prefix, slice): (u8, &Arc<Slice>)| {
            let SliceRef { id, bytes } = slice.reference();
            let count = bytes / size_of::<super::Entry>() as u64;
            PieceRef { prefix: prefix_text(prefix, self.bits), id, bytes, count }
        };
        let full = (0..=u8::MAX).zip(&self.full).map(piece).collect();
        IndexLayer { from, to, count: self.run.len() as u64, filter: self.filter.reference(), full }
    }
}

/// One version of the list, as it is served.
#[derive(Clone, Debug, Default)]
pub struct Edition {
    index: Index,
    cuts: Vec<Arc<Cut>>,
}

impl Edition {
    /// The edition of the set's version; what is ahead of it is left out. Takes about 0.3 us for each entry of a layer that
    /// `last`, an edition made before, does not have.
    pub fn new(set: &RevocationSet, last: &Edition) -> Edition {
        let (mut cuts, mut layers) = (Vec::new(), Vec::new());
        for (from, to, run) in set.layers().filter(|(.., run)| !run.is_empty()) {
            let known = last.cuts.iter().find(|cut| Arc::ptr_eq(&cut.run, run));
            let cut = known.map_or_else(|| Arc::new(Cut::new(run)), Arc::clone);
            layers.push(cut.describe(from, to));
            cuts.push(cut);
        }
        let removed = set.removed().entries().iter().copied().map(EntryText).collect();
        Edition { index: Index { version: set.version(), count: set.listed() as u64, layers, removed }, cuts }
    }

    /// Its index.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// The slice of this name, if it is one of its own.
    pub fn slice(&self, id: &SliceId) -> Option<&Arc<Slice>> {
        self.slices().find(|slice| slice.id == *id)
    }

    /// Every slice: of each layer the filter, and then its entries.
    pub fn slices(&self) -> impl Iterator<Item = &Arc<Slice>> {
        self.cuts.iter().flat_map(|cut| [&cut.filter].into_iter().chain(&cut.full))
    }
}
