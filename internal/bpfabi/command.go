package bpfabi

// Command is the kernel's number of a bpf(2) command. Number 10 has two names in
// the kernel; prog_run is the one used here.
type Command uint32

// The commands of Linux 7.3 (include/uapi/linux/bpf.h, enum bpf_cmd).
const (
	CommandMapCreate               Command = 0
	CommandMapLookupElem           Command = 1
	CommandMapUpdateElem           Command = 2
	CommandMapDeleteElem           Command = 3
	CommandMapGetNextKey           Command = 4
	CommandProgLoad                Command = 5
	CommandObjPin                  Command = 6
	CommandObjGet                  Command = 7
	CommandProgAttach              Command = 8
	CommandProgDetach              Command = 9
	CommandProgRun                 Command = 10
	CommandProgGetNextID           Command = 11
	CommandMapGetNextID            Command = 12
	CommandProgGetFDByID           Command = 13
	CommandMapGetFDByID            Command = 14
	CommandObjGetInfoByFD          Command = 15
	CommandProgQuery               Command = 16
	CommandRawTracepointOpen       Command = 17
	CommandBTFLoad                 Command = 18
	CommandBTFGetFDByID            Command = 19
	CommandTaskFDQuery             Command = 20
	CommandMapLookupAndDeleteElem  Command = 21
	CommandMapFreeze               Command = 22
	CommandBTFGetNextID            Command = 23
	CommandMapLookupBatch          Command = 24
	CommandMapLookupAndDeleteBatch Command = 25
	CommandMapUpdateBatch          Command = 26
	CommandMapDeleteBatch          Command = 27
	CommandLinkCreate              Command = 28
	CommandLinkUpdate              Command = 29
	CommandLinkGetFDByID           Command = 30
	CommandLinkGetNextID           Command = 31
	CommandEnableStats             Command = 32
	CommandIterCreate              Command = 33
	CommandLinkDetach              Command = 34
	CommandProgBindMap             Command = 35
	CommandTokenCreate             Command = 36
	CommandProgStreamReadByFD      Command = 37
	CommandProgAssocStructOps      Command = 38
)

// String returns the kernel's name of the command, or "command(N)" for a number
// that Linux 7.3 does not have.
func (t Command) String() string { return nameOf(commandTable[:], "command", uint32(t)) }

// ParseCommand is the inverse of String for the names that Linux 7.3 has. It knows
// no other spelling.
func ParseCommand(name string) (Command, error) {
	n, err := numberOf(commandTable[:], "command", name)
	return Command(n), err
}

// commandTable has the names by number.
var commandTable = [...]string{
	CommandMapCreate:               "map_create",
	CommandMapLookupElem:           "map_lookup_elem",
	CommandMapUpdateElem:           "map_update_elem",
	CommandMapDeleteElem:           "map_delete_elem",
	CommandMapGetNextKey:           "map_get_next_key",
	CommandProgLoad:                "prog_load",
	CommandObjPin:                  "obj_pin",
	CommandObjGet:                  "obj_get",
	CommandProgAttach:              "prog_attach",
	CommandProgDetach:              "prog_detach",
	CommandProgRun:                 "prog_run",
	CommandProgGetNextID:           "prog_get_next_id",
	CommandMapGetNextID:            "map_get_next_id",
	CommandProgGetFDByID:           "prog_get_fd_by_id",
	CommandMapGetFDByID:            "map_get_fd_by_id",
	CommandObjGetInfoByFD:          "obj_get_info_by_fd",
	CommandProgQuery:               "prog_query",
	CommandRawTracepointOpen:       "raw_tracepoint_open",
	CommandBTFLoad:                 "btf_load",
	CommandBTFGetFDByID:            "btf_get_fd_by_id",
	CommandTaskFDQuery:             "task_fd_query",
	CommandMapLookupAndDeleteElem:  "map_lookup_and_delete_elem",
	CommandMapFreeze:               "map_freeze",
	CommandBTFGetNextID:            "btf_get_next_id",
	CommandMapLookupBatch:          "map_lookup_batch",
	CommandMapLookupAndDeleteBatch: "map_lookup_and_delete_batch",
	CommandMapUpdateBatch:          "map_update_batch",
	CommandMapDeleteBatch:          "map_delete_batch",
	CommandLinkCreate:              "link_create",
	CommandLinkUpdate:              "link_update",
	CommandLinkGetFDByID:           "link_get_fd_by_id",
	CommandLinkGetNextID:           "link_get_next_id",
	CommandEnableStats:             "enable_stats",
	CommandIterCreate:              "iter_create",
	CommandLinkDetach:              "link_detach",
	CommandProgBindMap:             "prog_bind_map",
	CommandTokenCreate:             "token_create",
	CommandProgStreamReadByFD:      "prog_stream_read_by_fd",
	CommandProgAssocStructOps:      "prog_assoc_struct_ops",
}
