package vault

import (
	"errors"
	"strconv"

	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/secret"
)

// readDataOrFolder is readData for a Space with folder reads: a path that is no secret answers the map of its direct
// text children, those that the caller may read one by one.
func readDataOrFolder(rq *request, ref secret.Ref) (answer, error) {
	a, err := readData(rq, ref)
	if err == nil || !errors.Is(err, secret.ErrNotFound) {
		return a, err
	}
	f, folderErr := rq.front.desk.ReadFolderInstead(rq.ctx, rq.caller, ref, custody.MaxFolder)
	if errors.Is(folderErr, secret.ErrNotFound) {
		return answer{}, err
	}
	if folderErr != nil {
		return answer{}, folderErr
	}
	return answer{data: appendFolder(nil, f), mount: "kv"}, nil
}

func appendFolder(b []byte, f custody.FolderReading) []byte {
	b = append(b, `{"data":{`...)
	for i, c := range f.Children {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendJSON(b, c.Name), ':')
		b = appendJSON(b, string(c.Value.Reveal()))
	}
	b = append(b, `},"metadata":{"created_time":"`...)
	b = appendTime(b, f.Updated)
	b = append(b, `","custom_metadata":null,"deletion_time":"","destroyed":false,"version":`...)
	return append(strconv.AppendUint(b, f.Revision, 10), "}}"...)
}
