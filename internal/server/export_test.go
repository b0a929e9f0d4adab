package server

import "github.com/keephold/keephold/internal/custody"

// DeskOf is the Desk that the server stands on now.
func DeskOf(s *Server) *custody.Desk { return s.cfg.Keep.Desk }
