//! A row of cells becomes a dose record, or everything that is wrong with it.

use aws_lc_rs::digest;

use super::cells::{self, Refused, dates};
use super::headings::Column;
use super::{CellError, DoseRecord};
use crate::name;
use crate::registration::PersonRecord;

/// Where the columns of a file are, and what they are called there.
pub(super) struct Layout {
    /// The places of each [`Column`], by its number.
    places: [Vec<usize>; 15],
    columns: Vec<Option<Column>>,
    names: Vec<String>,
}

impl Layout {
    /// `names`: what the columns are called in errors, one for each of `columns`.
    pub fn new(columns: &[Option<Column>], names: Vec<String>) -> Self {
        let mut places: [Vec<usize>; 15] = Default::default();
        for (place, column) in columns.iter().enumerate() {
            if let Some(places) = column.and_then(|column| places.get_mut(column as usize)) {
                places.push(place);
            }
        }
        Layout { places, columns: columns.to_vec(), names }
    }

    /// What the column of a dose record's field is called in the file.
    pub fn name_of(&self, field: &str) -> Option<&str> {
        let mut named = self.columns.iter().zip(&self.names);
        named.find(|(column, _)| column.is_some_and(|column| column.field() == field)).map(|(_, name)| name.as_str())
    }

    /// The facility's code in a row.
    pub fn facility(&self, cells: &[String]) -> Option<String> {
        let (_, cell) = self.cell(cells, Column::Facility)?;
        cells::text(cell).ok().filter(|text| !text.is_empty()).map(str::to_owned)
    }

    /// The facility's code and the dose of a row.
    pub fn read(&self, cells: &[String]) -> (Option<String>, Result<DoseRecord, Vec<CellError>>) {
        let mut row = Row { layout: self, cells, errors: Vec::new() };
        let facility = row.optional(Column::Facility, |text| Ok(text.to_owned()));
        let record_no = row.optional(Column::RecordNo, |text| Ok(text.to_owned()));
        let name = row.name();
        let given_at = row.needed(Column::GivenAt, dates::given_at);
        let given_year = given_at.as_deref().and_then(|text| text.get(..4)).and_then(|year| year.parse().ok());
        let birth = row.needed(Column::Birth, |text| dates::birth(text, given_year));
        let sex = row.optional(Column::Sex, cells::sex).map(str::to_owned);
        let phone = row.optional(Column::Phone, cells::phone);
        let identity = row.optional(Column::Identity, cells::identity);
        let ward = row.optional(Column::Ward, cells::ward);
        let product = row.needed(Column::Product, cells::product);
        let lot = row.optional(Column::Lot, |text| Ok(text.to_owned())).unwrap_or_default();
        let lot_expires_on = row.optional(Column::LotExpiresOn, dates::last_day);
        let number = row.needed(Column::Number, cells::number);
        let errors = row.errors;
        let (Some(name), Some(given_at), Some(birth), Some(product), Some(number), []) =
            (name, given_at, birth, product, number, errors.as_slice())
        else {
            return (facility, Err(errors));
        };
        let record_no = record_no.unwrap_or_else(|| {
            let numbers = [identity.as_deref(), phone.as_deref()].map(Option::unwrap_or_default);
            own_number(facility.as_deref().unwrap_or_default(), &name, &birth, numbers, product, &given_at)
        });
        let person = PersonRecord { id: None, name, birth, sex, phone, identity, ward };
        let product = product.to_owned();
        let vaccinator = None;
        (facility, Ok(DoseRecord { record_no, person, product, lot, lot_expires_on, given_at, number, vaccinator }))
    }

    /// The cell of a column that is not empty, with its place; of several the first, of identity numbers the longest.
    fn cell<'a>(&self, cells: &'a [String], column: Column) -> Option<(usize, &'a str)> {
        let places = self.places.get(column as usize).map(Vec::as_slice).unwrap_or_default();
        let mut written = places
            .iter()
            .filter_map(|&place| Some((place, cells.get(place)?.trim())))
            .filter(|(_, cell)| !cell.is_empty());
        match column {
            // Twelve digits tell people better apart than nine.
            Column::Identity => written.max_by_key(|(place, cell)| (cell.len(), std::cmp::Reverse(*place))),
            _ => written.next(),
        }
    }
}

/// A row that is being read.
struct Row<'a> {
    layout: &'a Layout,
    cells: &'a [String],
    errors: Vec<CellError>,
}

impl Row<'_> {
    fn needed<T>(&mut self, column: Column, read: impl FnOnce(&str) -> Result<T, Refused>) -> Option<T> {
        match self.layout.cell(self.cells, column) {
            Some((place, cell)) => self.read(place, cell, read),
            None => {
                self.missing(column);
                None
            }
        }
    }

    fn optional<T>(&mut self, column: Column, read: impl FnOnce(&str) -> Result<T, Refused>) -> Option<T> {
        let (place, cell) = self.layout.cell(self.cells, column)?;
        if cells::says_nothing(cell) { None } else { self.read(place, cell, read) }
    }

    /// The whole name, or family and given name together.
    fn name(&mut self) -> Option<String> {
        if self.layout.cell(self.cells, Column::Name).is_some() {
            return self.needed(Column::Name, |text| Ok(text.to_owned()));
        }
        if self.layout.places.get(Column::Family as usize).is_none_or(Vec::is_empty) {
            self.missing(Column::Name);
            return None;
        }
        let family = self.needed(Column::Family, |text| Ok(text.to_owned()));
        let given = self.needed(Column::Given, |text| Ok(text.to_owned()));
        Some(format!("{} {}", family?, given?))
    }

    fn read<T>(&mut self, place: usize, cell: &str, read: impl FnOnce(&str) -> Result<T, Refused>) -> Option<T> {
        match cells::text(cell).and_then(read) {
            Ok(value) => Some(value),
            Err(refused) => {
                self.refuse(place, refused);
                None
            }
        }
    }

    fn missing(&mut self, column: Column) {
        let places = self.layout.places.get(column as usize);
        let place = places.and_then(|places| places.first()).copied().unwrap_or(usize::MAX);
        self.refuse(place, cells::MISSING);
    }

    fn refuse(&mut self, place: usize, Refused { code, reason }: Refused) {
        let column = self.layout.names.get(place).cloned().unwrap_or_default();
        self.errors.push(CellError { column, code, reason });
    }
}

/// The number of a record that has none: the same for the same facility, name, birth date, numbers, product and day.
///
/// Without the person's numbers two who share a name and a birth year would be one record, and the second be refused.
fn own_number(
    facility: &str,
    name: &str,
    birth: &str,
    [identity, phone]: [&str; 2],
    product: &str,
    given_at: &str,
) -> String {
    let key = name::transliterate(name).unwrap_or_else(|_| name.to_owned());
    let mut context = digest::Context::new(&digest::SHA256);
    for part in [facility, &key, birth, identity, phone, product, given_at.get(..10).unwrap_or_default()] {
        context.update(part.as_bytes());
        context.update(&[0x1f]);
    }
    let digest = context.finish();
    let mut number = String::with_capacity(26);
    number.push_str("h-");
    for byte in digest.as_ref().iter().take(12) {
        for nibble in [byte >> 4, byte & 15] {
            number.extend(char::from_digit(nibble.into(), 16));
        }
    }
    number
}
