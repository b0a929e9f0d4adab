package policy

// RowCount is the number of rows in the tables of operations, for the test that no two name the same one.
func RowCount() int { return len(rows()) }
