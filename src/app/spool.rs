//! Files that were sent and wait to be imported: on disk, sealed in chunks under the data key, gone when they are done with.
//!
//! A file is a row of frames: a length (four bytes, big-endian) and so many sealed bytes. Each frame is sealed for its place,
//! and the last says that it is: a file that was cut off, or whose frames were moved, does not open. It ends in `.part` while it
//! is being sent, in `.sent` until its import is begun, then in `.sealed`.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::digest;
use uuid::Uuid;

use crate::sealing::DataKey;
use crate::store::Hash;

/// How much is sealed at a time.
const FRAME: usize = 64 * 1024;
/// The longest sealed frame: what sealing adds is less than this.
const MAX_SEALED: usize = FRAME + 64;

/// What a frame is sealed for.
fn column(place: u64, last: bool) -> String {
    format!("import_spool/{place}/{last}")
}

/// The directory of the files that wait.
#[derive(Clone)]
pub struct Spool {
    dir: PathBuf,
    data_key: Arc<DataKey>,
}

/// A file that is being sent. Dropped before [`SpoolWriter::finish`], it leaves nothing.
pub struct SpoolWriter {
    file: Option<BufWriter<File>>,
    part: PathBuf,
    sent: PathBuf,
    id: Uuid,
    data_key: Arc<DataKey>,
    frame: Vec<u8>,
    place: u64,
    len: u64,
    hash: digest::Context,
}

/// A file that was received whole, on the disk. Dropped before `Spool::give`, it leaves nothing.
pub struct SpoolFile {
    sent: PathBuf,
    id: Uuid,
    /// The SHA-256 of what was sent.
    pub hash: Hash,
}

/// A file that is being read.
pub struct SpoolReader {
    file: BufReader<File>,
    data_key: Arc<DataKey>,
    plain: io::Cursor<Vec<u8>>,
    place: u64,
    ended: bool,
}

impl Spool {
    /// The files below `dir`, which is made when there is one.
    pub fn new(dir: PathBuf, data_key: Arc<DataKey>) -> Spool {
        Spool { dir, data_key }
    }

    fn path(&self, id: Uuid) -> PathBuf {
        self.dir.join(format!("{}.sealed", id.simple()))
    }

    fn sent(&self, id: Uuid) -> PathBuf {
        self.dir.join(format!("{}.sent", id.simple()))
    }

    /// Begins the file of import `id`.
    pub fn create(&self, id: Uuid) -> io::Result<SpoolWriter> {
        if let Some(parent) = self.dir.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.dir)?;
        let part = self.dir.join(format!("{}.part", id.simple()));
        let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part)?;
        Ok(SpoolWriter {
            file: Some(BufWriter::new(file)),
            part,
            sent: self.sent(id),
            id,
            data_key: Arc::clone(&self.data_key),
            frame: Vec::with_capacity(FRAME),
            place: 0,
            len: 0,
            hash: digest::Context::new(&digest::SHA256),
        })
    }

    /// The file of import `id`, from its beginning.
    pub fn open(&self, id: Uuid) -> io::Result<SpoolReader> {
        let file = File::open(self.path(id)).or_else(|_| File::open(self.sent(id)))?;
        Ok(SpoolReader {
            file: BufReader::new(file),
            data_key: Arc::clone(&self.data_key),
            plain: io::Cursor::default(),
            place: 0,
            ended: false,
        })
    }

    /// Removes the file of import `id`, if it is there.
    pub fn remove(&self, id: Uuid) -> io::Result<()> {
        match fs::remove_file(self.path(id)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Makes `file` that of import `to`, which is begun; another of the same is there, perhaps. On the disk when this returns.
    pub fn give(&self, file: SpoolFile, to: Uuid) -> io::Result<()> {
        fs::rename(&file.sent, self.path(to))?;
        File::open(&self.dir)?.sync_all()
    }

    /// The imports whose files wait, those that came first in front.
    pub fn waiting(&self) -> io::Result<Vec<Uuid>> {
        let mut found = Vec::new();
        let entries = match fs::read_dir(&self.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let id = id_of(&entry.path(), "sealed");
            found.extend(id.map(|id| (entry.metadata().and_then(|about| about.modified()).ok(), id)));
        }
        found.sort_unstable();
        Ok(found.into_iter().map(|(_, id)| id).collect())
    }

    /// Removes what was left by a process that ended while files were being sent.
    pub fn sweep(&self) -> io::Result<()> {
        let entries = match fs::read_dir(&self.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let path = entry?.path();
            if id_of(&path, "part").or_else(|| id_of(&path, "sent")).is_some() {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }
}

fn id_of(path: &Path, extension: &str) -> Option<Uuid> {
    let ours = path.extension().is_some_and(|found| found == extension);
    ours.then(|| Uuid::try_parse(path.file_stem()?.to_str()?).ok()).flatten()
}

impl SpoolWriter {
    /// Takes the next part of what is sent.
    pub fn write(&mut self, mut part: &[u8]) -> io::Result<()> {
        self.hash.update(part);
        self.len += part.len() as u64;
        while !part.is_empty() {
            if self.frame.len() == FRAME {
                self.seal(false)?;
            }
            let (now, later) = part.split_at_checked(FRAME - self.frame.len()).unwrap_or((part, &[]));
            self.frame.extend_from_slice(now);
            part = later;
        }
        Ok(())
    }

    /// How much was sent so far.
    pub fn written(&self) -> u64 {
        self.len
    }

    fn seal(&mut self, last: bool) -> io::Result<()> {
        let sealed = self.data_key.seal_bytes(&column(self.place, last), &self.frame);
        let len = u32::try_from(sealed.len()).map_err(io::Error::other)?;
        if let Some(file) = &mut self.file {
            file.write_all(&len.to_be_bytes())?;
            file.write_all(&sealed)?;
        }
        self.frame.clear();
        self.place += 1;
        Ok(())
    }

    /// Writes the end, to the disk.
    pub fn finish(mut self) -> io::Result<SpoolFile> {
        self.seal(true)?;
        if let Some(file) = self.file.take() {
            file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        }
        fs::rename(&self.part, &self.sent)?;
        let mut hash = [0; 32];
        let digest = self.hash.clone().finish();
        hash.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
        Ok(SpoolFile { sent: self.sent.clone(), id: self.id, hash })
    }
}

impl SpoolFile {
    /// Under which id it was received, and is opened.
    pub fn id(&self) -> Uuid {
        self.id
    }
}

impl Drop for SpoolFile {
    fn drop(&mut self) {
        // After `give` there is none of this name.
        let _ = fs::remove_file(&self.sent);
    }
}

impl Drop for SpoolWriter {
    fn drop(&mut self) {
        // After `finish` there is none of this name.
        let _ = fs::remove_file(&self.part);
    }
}

impl Read for SpoolReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.plain.read(into)?;
            if read > 0 || into.is_empty() || self.ended {
                return Ok(read);
            }
            let broken = || io::Error::new(io::ErrorKind::InvalidData, "a file that was sent cannot be opened again");
            let mut len = [0; 4];
            self.file.read_exact(&mut len)?;
            let len =
                usize::try_from(u32::from_be_bytes(len)).ok().filter(|len| *len <= MAX_SEALED).ok_or_else(broken)?;
            let mut sealed = vec![0; len];
            self.file.read_exact(&mut sealed)?;
            let open = |last| self.data_key.open_bytes(&column(self.place, last), &sealed).ok();
            let (plain, last) = match open(false) {
                Some(plain) => (plain, false),
                None => (open(true).ok_or_else(broken)?, true),
            };
            self.plain = io::Cursor::new(plain);
            self.ended = last;
            self.place += 1;
            if last {
                return self.plain.read(into);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spool(name: &str) -> Spool {
        let dir = std::env::temp_dir().join(format!("thexanh-spool-{name}-{}", std::process::id()));
        Spool::new(dir, Arc::new(DataKey::new(&[7; 64])))
    }

    fn read(spool: &Spool, id: Uuid) -> io::Result<Vec<u8>> {
        let mut plain = Vec::new();
        spool.open(id)?.read_to_end(&mut plain)?;
        Ok(plain)
    }

    #[test]
    fn what_was_sent_is_read_again_whatever_its_length_and_its_parts() {
        let spool = spool("lengths");
        for len in [0, 1, FRAME - 1, FRAME, FRAME + 1, 3 * FRAME + 5] {
            let sent: Vec<u8> = (0..len).map(|at| (at % 251) as u8).collect();
            let id = Uuid::new_v4();
            let mut writer = spool.create(id).expect("creates");
            sent.chunks(10_007).for_each(|part| writer.write(part).expect("writes"));
            assert_eq!(writer.written(), len as u64);
            let file = writer.finish().expect("finishes");
            assert_eq!(file.hash.as_slice(), digest::digest(&digest::SHA256, &sent).as_ref());
            assert_eq!(read(&spool, id).expect("reads"), sent, "{len}");
            spool.give(file, id).expect("gives");
            assert_eq!(read(&spool, id).expect("reads"), sent, "{len}, as an import's");
            assert!(len < 8 || !fs::read(spool.path(id)).expect("there").windows(8).any(|at| at == &sent[..8]));
        }
        assert_eq!(spool.waiting().expect("lists").len(), 6);
        fs::remove_dir_all(&spool.dir).expect("removes");
    }

    #[test]
    fn a_file_that_was_cut_or_changed_does_not_pass_for_whole() {
        let spool = spool("cut");
        let id = Uuid::new_v4();
        let mut writer = spool.create(id).expect("creates");
        writer.write(&vec![b'a'; 2 * FRAME]).expect("writes");
        let file = writer.finish().expect("finishes");
        assert!(spool.waiting().expect("lists").is_empty(), "its import is not begun");
        spool.give(file, id).expect("gives");
        let whole = fs::read(spool.path(id)).expect("there");
        let frame = FRAME + 12 + 16 + 4;
        for len in [0, 3, frame - 1, frame, frame + 1, whole.len() - 1] {
            fs::write(spool.path(id), &whole[..len]).expect("cuts");
            assert!(read(&spool, id).is_err(), "cut at {len}");
        }
        let swapped = [&whole[frame..], &whole[..frame]].concat();
        fs::write(spool.path(id), swapped).expect("swaps");
        assert!(read(&spool, id).is_err());
        drop(spool.create(Uuid::new_v4()).expect("creates"));
        assert_eq!(spool.waiting().expect("lists"), [id], "one that was never finished is not there");
        fs::remove_dir_all(&spool.dir).expect("removes");
    }

    #[test]
    fn what_nobody_takes_over_is_gone() {
        let spool = spool("gone");
        let files = || fs::read_dir(&spool.dir).expect("lists").count();
        let begun = spool.create(Uuid::new_v4()).expect("creates");
        assert_eq!(files(), 1);
        drop(begun);
        assert_eq!(files(), 0, "it broke off before its last byte");
        let whole = spool.create(Uuid::new_v4()).expect("creates").finish().expect("finishes");
        assert_eq!(files(), 1);
        drop(whole);
        assert_eq!(files(), 0, "it broke off after its last byte");
        fs::remove_dir_all(&spool.dir).expect("removes");
    }
}
