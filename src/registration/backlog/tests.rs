//! Whole files, clean and hostile.
