//! Photos that people send with what they say about their records: sealed, a few to a person.

use uuid::Uuid;

use super::people::timestamp;
use super::{Store, StoreError, Tx};
use crate::certificate::UnixSeconds;

/// A sealed photo.
#[derive(Clone)]
pub struct Attachment {
    /// Whose.
    pub person: Uuid,
    /// Which.
    pub id: Uuid,
    /// Its media type.
    pub media: String,
    /// The photo, sealed.
    pub sealed: Vec<u8>,
}

impl Tx<'_> {
    /// Keeps a photo, in the place of the one before it.
    pub async fn put_attachment(
        &self,
        photo: &Attachment,
        before: Option<Uuid>,
        at: UnixSeconds,
    ) -> Result<(), StoreError> {
        let sql = "-- drop attachment\nDELETE FROM attachment WHERE person_id = $1 AND attachment_id = $2";
        if let Some(before) = before {
            self.inner.execute(&self.inner.prepare_cached(sql).await?, &[&photo.person, &before]).await?;
        }
        let sql = "-- put attachment
                   INSERT INTO attachment (person_id, attachment_id, media, content, made_at) VALUES ($1, $2, $3, $4, $5)";
        let stmt = self.inner.prepare_cached(sql).await?;
        self.inner.execute(&stmt, &[&photo.person, &photo.id, &photo.media, &photo.sealed, &timestamp(at)]).await?;
        Ok(())
    }
}

impl Store {
    /// A photo; `None` if there is none.
    pub async fn attachment(&self, person: Uuid, id: Uuid) -> Result<Option<Attachment>, StoreError> {
        let client = self.client().await?;
        let sql = "-- attachment\nSELECT media, content FROM attachment WHERE person_id = $1 AND attachment_id = $2";
        let row = client.query_opt(&client.prepare_cached(sql).await?, &[&person, &id]).await?;
        Ok(row.map(|row| Attachment { person, id, media: row.get(0), sealed: row.get(1) }))
    }
}
