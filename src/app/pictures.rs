//! Rendered pictures, kept by (uvci, profile, format). Whether one may be shown is asked of the store every time.

use bytes::Bytes;
use moka::sync::Cache;

use crate::certificate::{Profile, Uvci};

/// What a certificate is rendered as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Picture {
    /// A QR code for screens.
    Svg,
    /// A QR code for messages.
    Png,
    /// A page for paper.
    Pdf,
    /// The QR text itself.
    Txt,
}

impl Picture {
    /// The picture with this file extension.
    pub fn of_extension(extension: &str) -> Option<Picture> {
        match extension {
            "svg" => Some(Picture::Svg),
            "png" => Some(Picture::Png),
            "pdf" => Some(Picture::Pdf),
            "txt" => Some(Picture::Txt),
            _ => None,
        }
    }

    /// Its media type.
    pub fn media(self) -> &'static str {
        match self {
            Picture::Svg => "image/svg+xml",
            Picture::Png => "image/png",
            Picture::Pdf => "application/pdf",
            Picture::Txt => "text/plain; charset=utf-8",
        }
    }
}

/// Which picture of which certificate.
pub type PictureKey = (Uvci, Profile, Picture);

/// The pictures kept, within a bound of bytes.
pub struct Pictures(Cache<PictureKey, Bytes>);

/// The cache's own cost of an entry, above the picture's.
const OVERHEAD_BYTES: usize = 300;

impl Pictures {
    /// Room for about `max_bytes` of pictures.
    pub fn new(max_bytes: u64) -> Pictures {
        let weigh = |_: &PictureKey, bytes: &Bytes| u32::try_from(OVERHEAD_BYTES + bytes.len()).unwrap_or(u32::MAX);
        Pictures(Cache::builder().max_capacity(max_bytes).weigher(weigh).build())
    }

    /// The picture kept under `key`.
    pub fn recall(&self, key: &PictureKey) -> Option<Bytes> {
        self.0.get(key)
    }

    /// Keeps a picture.
    pub fn keep(&self, key: PictureKey, bytes: Bytes) {
        self.0.insert(key, bytes);
    }

    /// Forgets every picture of a certificate.
    pub fn forget(&self, uvci: Uvci) {
        for profile in [Profile::Compact, Profile::Hc1] {
            for picture in [Picture::Svg, Picture::Png, Picture::Pdf, Picture::Txt] {
                self.0.invalidate(&(uvci, profile, picture));
            }
        }
    }

    /// How many are kept, roughly.
    pub fn len(&self) -> u64 {
        self.0.entry_count()
    }
}
