//! stub
use thexanh::store::Store;
pub struct TestDb(Store);
impl TestDb {
    pub async fn new() -> TestDb {
        TestDb(Store)
    }
    pub fn store(&self) -> &Store {
        &self.0
    }
}
